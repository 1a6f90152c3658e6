// A session through ioredis, as a program of a user would hold it. Called with the port, the unix socket's path and a
// database number; leaves with status 0 when every answer was as it should be, and prints the first that was not.
'use strict';
const assert = require('assert');
const Redis = require('ioredis');

const [port, path, db] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];

async function strings(redis) {
  assert.strictEqual(await redis.set('k', 'v'), 'OK');
  assert.strictEqual(await redis.get('k'), 'v');
  assert.strictEqual(await redis.get('missing'), null);
  assert.strictEqual(await redis.set('k', 'w', 'EX', 100, 'XX'), 'OK');
  assert.ok((await redis.ttl('k')) > 90);
  assert.strictEqual(await redis.set('k', 'x', 'NX'), null);
  assert.strictEqual(await redis.incrby('n', 41), 41);
  assert.strictEqual(await redis.incr('n'), 42);
  assert.strictEqual(await redis.incrbyfloat('f', 0.1), '0.1');
  const bytes = Buffer.from([0, 255, 13, 10, 0]);
  await redis.set('b', bytes);
  assert.deepStrictEqual(await redis.getBuffer('b'), bytes);
  await redis.mset({ m1: '1', m2: '2' });
  assert.deepStrictEqual(await redis.mget('m1', 'm2', 'm3'), ['1', '2', null]);
  assert.strictEqual(await redis.del('k', 'n', 'f', 'b', 'm1', 'm2', 'm3'), 6);
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.set(`p:${i}`, i);
  for (let i = 0; i < 1000; i++) pipeline.get(`p:${i}`);
  pipeline.incr('p:x', 'too', 'many');
  const replies = await pipeline.exec();
  assert.strictEqual(replies.length, 2001);
  assert.deepStrictEqual(replies[1999], [null, '999']);
  assert.strictEqual(replies[2000][0].message, "ERR wrong number of arguments for 'incr' command");
}

async function scans(redis) {
  const found = new Set();
  for await (const keys of redis.scanStream({ match: 'p:*', count: 100 })) keys.forEach((key) => found.add(key));
  assert.strictEqual(found.size, 1000);
}

async function errors(redis) {
  await redis.set('text', 'x');
  await assert.rejects(redis.incr('text'), /^ReplyError: ERR value is not an integer or out of range$/);
  await assert.rejects(redis.call('nonsense'), /ERR unknown command 'nonsense', with args beginning with: /);
}

async function session(options) {
  const redis = new Redis({ db, retryStrategy: null, connectionName: 'node', ...options });
  await redis.flushdb();
  assert.strictEqual(await redis.client('GETNAME'), 'node');
  await strings(redis);
  await pipelines(redis);
  await scans(redis);
  await errors(redis);
  const info = await redis.info('server');
  assert.match(info, /redis_version:\d+\.\d+\.\d+/);
  const copy = redis.duplicate();
  await Promise.all(Array.from({ length: 500 }, (_, i) => (i % 2 ? redis : copy).incr('shared')));
  assert.strictEqual(await redis.get('shared'), '500');
  await redis.flushdb();
  assert.strictEqual(await copy.quit(), 'OK');
  assert.strictEqual(await redis.quit(), 'OK');
}

(async () => {
  await session({ host: '127.0.0.1', port });
  await session({ path });
  console.log('all well');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
