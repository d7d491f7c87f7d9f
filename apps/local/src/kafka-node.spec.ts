import { describe, expect, test } from '@jest/globals';
import { kafkaProperties, type KafkaNode, type KafkaOptions } from './kafka-node.js';
import { planPorts } from './port-plan.js';

const regions = ['eu', 'us-west', 'ap'];

function cluster(brokers: 1 | 3, links: KafkaOptions['links']) {
  const shape = {
    regions,
    brokers,
    standby: false,
    ledger: false,
    jaeger: false,
    wideArea: links !== undefined,
  };
  const plan = planPorts('well-known', shape);
  const nodes = plan.brokers.map((ports, index): KafkaNode => ({
    id: index + 1,
    ports,
    region: regions[index] as string,
  }));
  const options: KafkaOptions = { nodes, folder: '/data', logs: '/logs', java: 'java', links };
  return nodes.map((node) => kafkaProperties(node, options));
}

describe('the configuration of a broker', () => {
  test('nothing that would break the promises of the log is left to a default', () => {
    for (const properties of [...cluster(1, undefined), ...cluster(3, undefined)]) {
      expect(properties).toMatchObject({
        'auto.create.topics.enable': 'false',
        'unclean.leader.election.enable': 'false',
        'log.message.timestamp.type': 'LogAppendTime',
      });
    }
  });

  test('three brokers replicate three times and stand in three racks, one does not wait for others', () => {
    const three = cluster(3, undefined);
    expect(three.map((properties) => properties['broker.rack'])).toEqual(regions);
    for (const properties of three) {
      expect(properties).toMatchObject({
        'default.replication.factor': '3',
        'min.insync.replicas': '2',
        'offsets.topic.replication.factor': '3',
        'transaction.state.log.min.isr': '2',
        'replica.fetch.wait.max.ms': '100',
        'replica.fetch.backoff.ms': '100',
        'broker.session.timeout.ms': '2000',
        'controller.quorum.fetch.timeout.ms': '1000',
      });
    }
    expect(cluster(1, undefined)[0]).toMatchObject({
      'default.replication.factor': '1',
      'min.insync.replicas': '1',
    });
  });

  test('over a wide area each region is told an address of its own', () => {
    const [first] = cluster(3, {
      advertisedHost: (node, region) => (node.region === region ? '127.0.0.1' : `${region}.view`),
      hostBetween: () => '127.2.1.2',
    });
    expect(
      first?.['advertised.listeners']?.split(',').map((listener) => listener.replace(/:\d+$/, '')),
    ).toEqual([
      'CLIENT://127.0.0.1',
      'INTERNAL://broker-1.lockstep.internal',
      'REGION_EU://127.0.0.1',
      'REGION_US_WEST://us-west.view',
      'REGION_AP://ap.view',
    ]);
    expect(first?.['inter.broker.listener.name']).toBe('INTERNAL');
  });
});
