/** What stops the benchmarks, as their profiles show it; the page repeats it beside the figures. */
export const BOUNDS: Readonly<Record<string, string>> = {
  apply: `one thread and one connection that partly wait for each other. The client's thread fetches, decodes, folds and builds statements, and
is busy for four fifths of the time where nothing else runs; the database is for half of it. A batch is folded while the one before is committed;
building its statement then too was tried and gained nothing that can be told from noise.
The thread is the bound: of its time half is the fold (effects hash, checks, routing, coalescing), an eighth decoding, an eighth garbage.
The limit needs a sixth of the thread and has a second connection for the second processor. Reading without work costs next to nothing for an event
because ten share a record; twice of it is out of reach for whoever parses JSON (0.7 us an event alone).`,
  'apply-one-shard': `as \`apply\`: the same thread and one connection.`,
  'apply-datasets': `an entry of one event has its own header, digest and session number, which ten readings share: that is the client's
thread. Under a minted key it also has an outcome, a second row to write; and outcomes, and the rows of accounts, are asked of the database before the
fold, so that one more round trip stands in every batch and nothing is folded during a commit. Neither side is full then.`,
  'apply-hot-keys': `the client's thread alone: few rows are left for the database, but each event is checked, hashed and given a verdict.`,
  writing: `statements: a save through the outbox holds the shard, reads what was changed and stores the entry, each 0.3 to 0.6 ms, beside TypeORM's four,
which take 0.9 ms in all; 1.3 times that leaves less than 0.3 ms for everything. Its change and its commit take twice as long, because the database catches and keeps each
change, and folds it meanwhile: its processor time of a save is seven times that of a plain one. An append waits for log, fold and commit instead, and for no transaction of its own.`,
  peers: `as \`apply\`. Logical replication is C on both sides, gives no verdict and no idempotence, and does not wait until its commits are
durable; with 1,000 rows a transaction it is bounded by the database, as the limit is.`,
  debezium: `as \`apply\`: one thread, four fifths busy, and one connection. The tuned sink has two of both and takes 12.5 us of processor time for an event in
worker, database and broker where 11 us are taken here, with verdicts, hashes and the place in the log in one transaction with the rows; a second lane is what would use
the rest of the machine. With defaults each record brings its schema, which is parsed anew: 50 us.`,
  quorum: `distance, and that every write waits twice. At half of the load a write finds the append of its shard under way (one at a time; two are slower, design
section 4) and waits for half of one, 20 to 30 ms, before its own 57 ms begin. Of so many callers who each wait for their answer as many are answered as answers are
quick: a quorum needs one way there and one back more than the log, so that its rate is two thirds of the log's, with a third of the two processors idle.
More callers would close it; at 256 the gateway's door refuses some while it is cold.`,
  'debezium-chain': `the client's thread, which writes and applies here and is full; at a thousand rows a second nothing is, and a row waits for an append, a
fetch and a commit. Debezium: its worker, which takes 50 to 110 us for an event of source and sink, more than a core in sum, and with defaults builds and parses a
schema for each; its rows wait for the source, which looks every 500 ms, or every 10 ms when it is tuned.`,
  'catch-up': `the machine: its two processors are full. What three regions, their log and the client need for 10,000 events a second takes 1.2 of them, so that
0.7 are left to the region that catches up, four tenths for its replicator and three for its database; 14 us an event are 48,000 a second. The limit has the same processors while it
runs and needs half as much for an event. Critical writes wait for the same processors. On machines of their own this has to be measured again.`,
  idle: `wakes: 19 a second in a gateway, 26 in a coordinator, 31 in a replicator, 0.1 to 0.2 ms each because caches are cold and code that runs
so seldom is not compiled. Heartbeats of the control log each 250 ms, which all nine read; leases each 250 ms; a poll of each dataset each 200 ms, by which a region finds
out that its log has gone; streams each 500 ms. Each of them bounds how soon something is noticed, and was not given up for this figure. It was 13 before decision 0092.`,
  'idle-probed': `as \`idle\`, and twelve strong reads a second, whose barriers are written to the log and folded by three regions.`,
  publish: `the client's thread, 19 us for an entry of ten readings: its header, number and ticket, and 3 us of encoding (decision 0084), for which kafkajs takes
20 in the batches beside it.`,
};
