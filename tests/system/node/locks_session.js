// Locks: redlock, and redis-semaphore's mutex, semaphores and Redlock versions. Called with the port; see users_session.js.
'use strict';
const assert = require('assert');
const Redlock = require('redlock');
const { Mutex, MultiSemaphore, Semaphore } = require('redis-semaphore');
const { client, run, until } = require('./users_session');

async function redlock(redis) {
  const locks = new Redlock([redis], { retryCount: 200, retryDelay: 5, retryJitter: 5 });
  const lock = await locks.lock('locks:printer', 20000);
  assert.strictEqual(await redis.get('locks:printer'), lock.value);
  await assert.rejects(new Redlock([redis], { retryCount: 0 }).lock('locks:printer', 1000), /LockError/);
  const longer = await lock.extend(40000);
  assert.ok((await redis.pttl('locks:printer')) > 20000);
  await longer.unlock();
  assert.strictEqual(await redis.exists('locks:printer'), 0);
  const several = await locks.lock(['a', 'b', 'c'], 20000);
  assert.strictEqual(await redis.exists('a', 'b', 'c'), 3);
  await assert.rejects(new Redlock([redis], { retryCount: 0 }).lock(['x', 'b'], 1000), /LockError/);
  await several.unlock();
  assert.strictEqual(await redis.exists('a', 'b', 'c', 'x'), 0);
  await redis.set('locks:printer', 'somebody else');
  const gone = await locks.lock('locks:other', 20000);
  await redis.set('locks:other', 'somebody else');
  await assert.rejects(gone.unlock(), /LockError/);
}

// work() under whatever lock, from several clients: never more than `most` at once.
async function crowd(most, enter) {
  const clients = Array.from({ length: 4 }, () => client());
  let inside = 0;
  let visits = 0;
  await Promise.all(clients.map(async (redis) => {
    for (let i = 0; i < 6; i++) {
      const leave = await enter(redis);
      inside += 1;
      assert.ok(inside <= most, `${inside} at once`);
      await new Promise((done) => setTimeout(done, 1));
      inside -= 1;
      visits += 1;
      await leave();
    }
  }));
  assert.strictEqual(visits, 24);
  await Promise.all(clients.map((redis) => redis.quit()));
}

const fast = { lockTimeout: 20000, acquireTimeout: 20000, retryInterval: 3 };

async function redlockOfMany() {
  await crowd(1, async (redis) => {
    const lock = await new Redlock([redis], { retryCount: 4000, retryDelay: 3, retryJitter: 3 }).lock('room', 20000);
    return () => lock.unlock();
  });
}

async function mutexOfMany() {
  await crowd(1, async (redis) => {
    const mutex = new Mutex(redis, 'room', fast);
    await mutex.acquire();
    return () => mutex.release();
  });
}

async function semaphoreOfMany() {
  await crowd(3, async (redis) => {
    const semaphore = new Semaphore(redis, 'room', 3, fast);
    await semaphore.acquire();
    return () => semaphore.release();
  });
}

async function multiSemaphore(redis) {
  const big = new MultiSemaphore(redis, 'pool', 5, 4, fast);
  await big.acquire();
  assert.strictEqual(await new MultiSemaphore(redis, 'pool', 5, 2, { ...fast, acquireTimeout: 30 }).tryAcquire(), false);
  const small = new MultiSemaphore(redis, 'pool', 5, 1, fast);
  assert.strictEqual(await small.tryAcquire(), true);
  await big.release();
  await small.release();
  assert.strictEqual(await redis.zcard('semaphore:pool'), 0);
}

async function mutexThatIsRefreshed(redis) {
  const mutex = new Mutex(redis, 'room', { lockTimeout: 3000, refreshInterval: 20 });
  await mutex.acquire();
  await redis.pexpire('mutex:room', 1000);
  await until(async () => (await redis.pttl('mutex:room')) > 2000, 'it is refreshed');
  await mutex.release();
  assert.strictEqual(await redis.exists('mutex:room'), 0);
}

run([redlock, redlockOfMany, mutexOfMany, semaphoreOfMany, multiSemaphore, mutexThatIsRefreshed]);
