/** What stops the benchmarks, as their profiles show it; the page repeats it beside the figures. */
export const BOUNDS: Readonly<Record<string, string>> = {
  apply: `one thread, which is full: 5.0 to 5.8 us of the client for an event at 150,000 to 170,000 a second (7.2 in runs of one second, where filling and emptying the pipeline count). Of that four
tenths are the fold (effects hash, checks, routing, coalescing), a seventh decoding, a sixth garbage, a fifth building and sending statements. Both connections have a commit under way for nine tenths of the time (decision 0093); a third one,
tried in turns with it (two runs of seven rounds each), was 0.50 and 0.50 of the limit where two were 0.51 and 0.51: there is nothing left to wait for. The database needs as much for an event as under the limit, 4.4 to 5.3 us, and 0.85 of the limit would leave the client
about 2.5 us of both processors, of which JSON.parse alone takes 0.7. Reading without work costs little for an event because ten share a record.`,
  'apply-one-shard': `as \`apply\`; one shard has one commit under way, for which the thread waits: a third of both processors is idle. Sending a statement before the answer to the one before (pipelining) is what would fill it, and \`pg\` does not offer it.`,
  'apply-datasets': `the two processors, which are full. A reading that is an entry by itself takes 15 us of them, four fifths of it in the client; an order 33 and a booking 42 us, half of it or more in
the database: under a minted key they have an outcome besides, a second row to write and to index, and ask for outcomes and rows before the fold. 15 to 33 and 42 are the ratios 0.45 and 0.35. Since the client needs less for an entry (27
and 29 us before for orders and bookings, 16 for readings) all three are quicker by a third, and the ratios are lower.`,
  'apply-hot-keys': `the client's thread alone: few rows are left for the database, but each event is checked, hashed and given a verdict.`,
  writing: `statements: a save through the outbox holds the shard, reads what was changed and stores the entry, each 0.3 to 0.6 ms, beside TypeORM's four,
which take 0.9 ms in all; 1.3 times that leaves less than 0.3 ms for everything. Its change and its commit take twice as long, because the database catches and keeps each
change, and folds it meanwhile: its processor time of a save is seven times that of a plain one. An append waits for log, fold and commit instead, and for no transaction of its own.`,
  peers: `as \`apply\`. Logical replication is C on both sides, gives no verdict and no idempotence, and does not wait until its commits are
durable; with 1,000 rows a transaction it is bounded by the database, as the limit is.`,
  debezium: `as \`apply\`: one thread, and it is full. The tuned sink has two tasks and takes 16 us of processor time for an event in worker, database and broker where
14.6 are taken here, with verdicts, hashes and the place in the log in one transaction with the rows. With defaults each record brings its schema, which is parsed anew: 44 us in the worker alone.`,
  quorum: `distance, and that every write waits twice. At half of the load a write finds the append of its shard under way (one at a time; two are slower, design
section 4) and waits for half of one, 20 to 30 ms, before its own 57 ms begin. Of so many callers who each wait for their answer as many are answered as answers are
quick: a quorum needs one way there and one back more than the log, so that its rate is two thirds of the log's, with a third of the two processors idle.
More callers would close it; at 256 the gateway's door refuses some while it is cold.`,
  'quorum-home': `as \`quorum\`; the two processors, 93 to 99 % busy with brokers, databases and roles of three regions, of which a write waits in some twenty hops from process
to process.`,
  overload: `the one processor on which all of it runs, full at the best load and at overload alike. Refusing 1,700 writes a second takes 5 to 11 % of it, and what is let in is spread among a dozen processes in smaller batches: of the same 57
entries under way at a time 183 a second are answered at best, 130 at overload. Usual is a fifth of the best, when a write waits for nobody.`,
  'switchover-with-leader': `followers of the new leader, which turn to it when their fetch under way ends, up to \`replica.fetch.wait.max.ms\` (100 ms) later; that is 13 ms more than the goal.`,
  'debezium-chain': `the client's thread, which writes and applies here and is full; at a thousand rows a second nothing is, and a row waits for an append, a
fetch and a commit. Debezium: its worker, which takes 50 to 110 us for an event of source and sink, more than a core in sum, and with defaults builds and parses a
schema for each; its rows wait for the source, which looks every 500 ms, or every 10 ms when it is tuned.`,
  'catch-up': `the machine: its two processors are full, 196 % of 200. What three regions, their log and the client need for 10,000 events a second takes 1.2 of them, so that
0.7 are left to the region that catches up, 0.35 for its replicator and 0.27 for its database. The limit has the same processors while it runs and needs half as much for an event. Critical writes wait for the same processors. Three runs of three rounds gave 0.47 (without a helper, decision 0093, where \`mem2\` had a third
more of the machine), 0.58 and 0.55 of the limit, and 1.5, 1.2 and 2.5 times the p99, which is that of the three slowest of 300 writes while both processors are full: it says more of the machine than of the replicator. On machines of their own this has to be measured again.`,
  idle: `wakes: 19 a second in a gateway, 26 in a coordinator, 31 in a replicator, 0.1 to 0.2 ms each because caches are cold and code that runs
so seldom is not compiled. Heartbeats of the control log each 250 ms, which all nine read; leases each 250 ms; a poll of each dataset each 200 ms, by which a region finds
out that its log has gone; streams each 500 ms. Each of them bounds how soon something is noticed, and was not given up for this figure. It was 13 before decision 0092.`,
  'idle-probed': `as \`idle\`, and twelve strong reads a second, whose barriers are written to the log and folded by three regions.`,
  publish: `the client's thread, 19 us for an entry of ten readings: its header, number and ticket, and 3 us of encoding (decision 0084), for which kafkajs takes
20 in the batches beside it.`,
  'publish-to-commit': `at 2,000 a second the two processors: together the broker (88 to 102 % of a core, 0.5 ms for an entry, because each is a request of its own when nothing piles up for its shard),
the client (half of one) and the database (a quarter) need 1.7 of 2, and every step waits for a processor; each part alone has room. A commit there has four entries (p50) and takes 1.6 to 2.4 ms
instead of 1.3 (p99 6 to 9), an entry is 4 to 6 ms old by its log's time when it is committed, of which it waits half a commit for its turn. Tried: a pause of 2 ms between fetches that brought little, for fewer of them: 8.0 and 9.0 ms in
turns with 6.5 and 7.2, the broker no less busy: what it does is appends. Broker and database on machines of their own have to be measured again.`,
};
