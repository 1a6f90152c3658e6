// Rate limiters whose every decision is a script: rate-limiter-flexible and bottleneck (its cluster mode keeps its settings, its clients
// and its running jobs in hashes and sorted sets, and wakes the others by pub/sub). Called with the port; see users_session.js.
'use strict';
const assert = require('assert');
const Bottleneck = require('bottleneck');
const { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis } = require('rate-limiter-flexible');
const { client, connection, run, until } = require('./users_session');

async function points(redis) {
  const limiter = new RateLimiterRedis({ storeClient: redis, points: 5, duration: 60, keyPrefix: 'login' });
  for (let left = 4; left >= 0; left--) assert.strictEqual((await limiter.consume('ann')).remainingPoints, left);
  const refused = await limiter.consume('ann').then(() => assert.fail('let in'), (reason) => reason);
  assert.strictEqual(refused.remainingPoints, 0);
  assert.ok(refused.msBeforeNext > 0 && refused.msBeforeNext <= 60000);
  assert.strictEqual((await limiter.get('ann')).consumedPoints, 6);
  await limiter.reward('ann', 3);
  assert.strictEqual((await limiter.consume('ann')).remainingPoints, 1);
  await limiter.penalty('bob', 5);
  await assert.rejects(limiter.consume('bob').catch((reason) => { throw new Error(reason.consumedPoints); }), /6/);
  await limiter.block('cleo', 100);
  assert.ok((await limiter.get('cleo')).msBeforeNext > 90000);
  assert.strictEqual(await limiter.delete('cleo'), true);
  assert.strictEqual(await limiter.get('cleo'), null);
}

async function pointsOfManyAtOnce() {
  const clients = Array.from({ length: 4 }, () => client());
  const limiters = clients.map((redis) => new RateLimiterRedis({ storeClient: redis, points: 50, duration: 60 }));
  const asked = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => limiters[i % 4].consume('all')));
  assert.strictEqual(asked.filter(({ status }) => status === 'fulfilled').length, 50);
  await Promise.all(clients.map((redis) => redis.quit()));
}

async function aWindowThatEnds(redis) {
  const limiter = new RateLimiterRedis({ storeClient: redis, points: 1, duration: 60, keyPrefix: 'short' });
  await limiter.consume('ann');
  await assert.rejects(limiter.consume('ann').catch((r) => { throw new Error(`wait ${r.msBeforeNext}`); }), /wait \d/);
  await redis.pexpire('short:ann', 10);
  await until(() => limiter.consume('ann').then(() => true, () => false), 'a new window');
}

async function queuesAndBursts(redis) {
  const limiter = new RateLimiterRedis({ storeClient: redis, points: 2, duration: 1, keyPrefix: 'q' });
  const queue = new RateLimiterQueue(limiter, { maxQueueSize: 10 });
  const began = Date.now();
  for (let i = 0; i < 3; i++) await queue.removeTokens(1);
  assert.ok(Date.now() - began > 500, 'the third had to wait');
  const bursty = new BurstyRateLimiter(
    new RateLimiterRedis({ storeClient: redis, points: 1, duration: 60, keyPrefix: 'b1' }),
    new RateLimiterRedis({ storeClient: redis, points: 2, duration: 60, keyPrefix: 'b2' }));
  for (let i = 0; i < 3; i++) await bursty.consume('ann');
  await assert.rejects(bursty.consume('ann').catch(() => { throw new Error('no more'); }), /no more/);
}

function bottleneck(options) {
  return new Bottleneck({ datastore: 'ioredis', clientOptions: connection, clearDatastore: false, ...options });
}

async function bottleneckInCluster() {
  const limiters = Array.from({ length: 2 }, () => bottleneck({ id: 'shared', maxConcurrent: 2, minTime: 5 }));
  await Promise.all(limiters.map((limiter) => limiter.ready()));
  let inside = 0;
  let most = 0;
  const work = async (n) => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((done) => setTimeout(done, 5));
    inside -= 1;
    return n;
  };
  const results = await Promise.all(Array.from({ length: 24 }, (_, i) => limiters[i % 2].schedule(work, i)));
  assert.deepStrictEqual(results, Array.from({ length: 24 }, (_, i) => i));
  assert.ok(most <= 2, `${most} at once`);
  assert.strictEqual(await limiters[0].done(), 24);
  assert.strictEqual(await limiters[1].running(), 0);
  await Promise.all(limiters.map((limiter) => limiter.disconnect()));
}

async function bottleneckReservoirAndPriorities(redis) {
  const limiter = bottleneck({ id: 'tank', reservoir: 3, maxConcurrent: 1 });
  await limiter.ready();
  const order = [];
  const note = async (word) => order.push(word);
  const all = [limiter.schedule({ priority: 9 }, note, 'low'), limiter.schedule({ priority: 0 }, note, 'high'),
    limiter.schedule({ priority: 5 }, note, 'middle')];
  await Promise.all(all);
  assert.deepStrictEqual([...order].sort(), ['high', 'low', 'middle']);
  assert.strictEqual(await limiter.currentReservoir(), 0);
  let refilled = false;
  const waiting = limiter.schedule(async () => refilled);
  assert.strictEqual(await limiter.check(), false);
  refilled = true;
  await limiter.incrementReservoir(1);
  assert.strictEqual(await waiting, true);
  assert.ok((await redis.keys('b_tank*')).length >= 2);
  await limiter.disconnect();
}

async function bottleneckGroups() {
  const group = new Bottleneck.Group({ datastore: 'ioredis', clientOptions: connection, maxConcurrent: 1, id: 'g' });
  const results = await Promise.all(Array.from({ length: 12 }, (_, i) => group.key(`user${i % 3}`).schedule(async () => i)));
  assert.strictEqual(results.length, 12);
  assert.deepStrictEqual((await group.clusterKeys()).sort(), ['user0', 'user1', 'user2']);
  assert.strictEqual(await group.deleteKey('user0'), true);
  assert.deepStrictEqual((await group.clusterKeys()).sort(), ['user1', 'user2']);
  await group.disconnect();
}

run([points, pointsOfManyAtOnce, aWindowThatEnds, queuesAndBursts, bottleneckInCluster, bottleneckReservoirAndPriorities,
  bottleneckGroups]);
