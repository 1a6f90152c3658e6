// BullMQ as its users have it: its scripts make the names of their keys themselves, move jobs between lists, sorted sets, hashes and
// a stream of events, and pack options with cmsgpack and cjson. Called with the port; see users_session.js.
'use strict';
const assert = require('assert');
const { FlowProducer, Queue, QueueEvents, Worker, UnrecoverableError } = require('bullmq');
const { connection, once, run, until } = require('./users_session');

async function withQueue(name, work, workerOptions, body) {
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection, lastEventId: '0-0' }); // what came before its first XREAD is not missed
  await events.waitUntilReady();
  let worker;
  const start = async () => {
    worker = new Worker(name, work, { connection, ...workerOptions });
    worker.on('error', (error) => {
      console.error('the worker says', error);
      process.exit(1);
    });
    await worker.waitUntilReady();
    return worker;
  };
  await body({ queue, events, start });
  if (worker) await worker.close();
  await events.close();
  await queue.close();
}

async function jobsAndResults() {
  await withQueue('plain', async (job) => job.data.a + job.data.b, { concurrency: 5 }, async ({ queue, events, start }) => {
    await start();
    const jobs = await queue.addBulk(Array.from({ length: 100 }, (_, i) => ({ name: 'add', data: { a: i, b: 1 } })));
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 10000)));
    assert.deepStrictEqual(results, Array.from({ length: 100 }, (_, i) => i + 1));
    assert.strictEqual(await queue.getCompletedCount(), 100);
    assert.deepStrictEqual(await queue.getJobCounts('wait', 'active', 'completed', 'failed', 'delayed'),
      { wait: 0, active: 0, completed: 100, failed: 0, delayed: 0 });
    const removed = await queue.clean(0, 1000, 'completed');
    assert.strictEqual(removed.length, 100);
    await queue.obliterate({ force: true });
  });
}

async function orderAndPriority() {
  const seen = [];
  await withQueue('ranked', async (job) => seen.push(job.name), { concurrency: 1 }, async ({ queue, events, start }) => {
    await queue.add('last', {}, { priority: 100 });
    await queue.add('second', {}, { priority: 5 });
    await queue.add('third', {}, { priority: 5 });
    await queue.add('first', {});
    const lifo = await queue.add('before all', {}, { lifo: true });
    const low = await queue.add('in between', {}, { priority: 200 });
    await low.changePriority({ priority: 50 });
    assert.strictEqual(await lifo.getState(), 'waiting');
    assert.strictEqual(await low.getState(), 'prioritized');
    await start();
    await until(() => seen.length === 6, 'six jobs');
    assert.deepStrictEqual(seen, ['before all', 'first', 'second', 'third', 'in between', 'last']);
  });
}

async function delayed() {
  await withQueue('later', async () => Date.now(), {}, async ({ queue, events, start }) => {
    await start();
    const began = Date.now();
    const [late, soon] = await Promise.all([queue.add('late', {}, { delay: 300 }), queue.add('soon', {}, { delay: 100 })]);
    assert.strictEqual(await late.getState(), 'delayed');
    const [lateAt, soonAt] = await Promise.all([late.waitUntilFinished(events, 10000), soon.waitUntilFinished(events, 10000)]);
    assert.ok(soonAt >= began + 99 && lateAt >= began + 299 && lateAt >= soonAt, `${soonAt - began} ${lateAt - began}`);
    const never = await queue.add('promoted', {}, { delay: 3600000 });
    await never.promote();
    await never.waitUntilFinished(events, 10000);
  });
}

async function failuresAndRetries() {
  const tries = [];
  const work = async (job) => {
    tries.push(job.name);
    if (job.name === 'hopeless') throw new UnrecoverableError('no use');
    if (job.name === 'always' || job.attemptsMade < 2) throw new Error(`try ${job.attemptsMade}`);
    return job.attemptsMade;
  };
  await withQueue('shaky', work, {}, async ({ queue, events, start }) => {
    await start();
    const third = await queue.add('third time', {}, { attempts: 3, backoff: { type: 'fixed', delay: 20 } });
    assert.strictEqual(await third.waitUntilFinished(events, 10000), 2);
    const always = await queue.add('always', {}, { attempts: 2, backoff: { type: 'exponential', delay: 10 } });
    await assert.rejects(always.waitUntilFinished(events, 10000), /try 1/);
    const hopeless = await queue.add('hopeless', {}, { attempts: 5 });
    await assert.rejects(hopeless.waitUntilFinished(events, 10000), /no use/);
    assert.deepStrictEqual(tries.filter((name) => name !== 'third time'), ['always', 'always', 'hopeless']);
    assert.strictEqual(await queue.getFailedCount(), 2);
    const [failed] = (await queue.getFailed()).filter((job) => job.name === 'hopeless');
    assert.strictEqual(failed.failedReason, 'no use');
    await failed.retry();
    await until(async () => tries.filter((name) => name === 'hopeless').length === 2, 'one more try');
  });
}

async function schedulers() {
  const times = [];
  await withQueue('rhythm', async (job) => times.push(job.data.n), {}, async ({ queue, start }) => {
    await queue.upsertJobScheduler('tick', { every: 60, limit: 4 }, { name: 'tick', data: { n: 7 } });
    assert.strictEqual((await queue.getJobSchedulers()).length, 1);
    await start();
    await until(() => times.length === 4, 'four ticks');
    assert.deepStrictEqual(times, [7, 7, 7, 7]);
    await queue.upsertJobScheduler('nightly', { pattern: '0 0 3 * * *' }, { name: 'n' });
    assert.strictEqual(await queue.getDelayedCount(), 1);
    assert.strictEqual(await queue.removeJobScheduler('nightly'), true);
    assert.strictEqual(await queue.getDelayedCount(), 0);
  });
}

async function flows() {
  const work = async (job) => {
    if (job.name === 'part') return job.data.n;
    return Object.values(await job.getChildrenValues()).reduce((sum, n) => sum + n, 0);
  };
  const flow = new FlowProducer({ connection });
  await withQueue('tree', work, { concurrency: 3 }, async ({ queue, events, start }) => {
    const part = (n) => ({ name: 'part', data: { n }, queueName: 'tree' });
    const tree = await flow.add({
      name: 'sum', queueName: 'tree',
      children: [part(1), part(2), { name: 'sum', queueName: 'tree', children: [part(10), part(20)] }],
    });
    assert.strictEqual(await tree.job.getState(), 'waiting-children');
    const { unprocessed } = await tree.job.getDependencies();
    assert.strictEqual(unprocessed.length, 3);
    await start();
    assert.strictEqual(await tree.job.waitUntilFinished(events, 10000), 33);
    assert.strictEqual(Object.keys((await tree.job.getDependencies()).processed).length, 3);
  });
  await flow.close();
}

async function rateLimits() {
  const times = [];
  await withQueue('slow', async () => times.push(Date.now()), { limiter: { max: 2, duration: 150 }, concurrency: 5 },
    async ({ queue, start }) => {
      await queue.addBulk(Array.from({ length: 6 }, (_, i) => ({ name: 'n', data: { i } })));
      const began = Date.now();
      await start();
      await until(() => times.length === 6, 'six jobs');
      assert.ok(times[5] - began >= 299, `three windows, not ${times[5] - began} ms`);
    });
  await withQueue('held', async () => 1, {}, async ({ queue, events, start }) => {
    await queue.setGlobalConcurrency(1);
    await queue.rateLimit(50);
    const worker = await start();
    const job = await queue.add('n', {});
    assert.strictEqual(await job.waitUntilFinished(events, 10000), 1);
    assert.strictEqual(await queue.getGlobalConcurrency(), 1);
    await worker.pause();
  });
}

// A worker that dies with a job in its hands: its lock ends, and another worker takes the job up.
async function stalled() {
  let release;
  const stuck = new Promise((done) => { release = done; });
  const queue = new Queue('stuck', { connection });
  const dead = new Worker('stuck', () => stuck, { connection, lockDuration: 150, skipLockRenewal: true, skipStalledCheck: true });
  dead.on('error', () => {}); // it hears in the end that its lock is gone
  const taken = once(dead, 'active');
  await queue.add('n', {});
  await taken;
  const second = new Worker('stuck', async () => 'done', { connection, stalledInterval: 100, maxStalledCount: 1 });
  const stalledEvent = once(second, 'stalled');
  const [job] = await once(second, 'completed');
  await stalledEvent;
  assert.strictEqual(job.returnvalue, 'done');
  assert.strictEqual(job.stalledCounter, 1);
  release();
  await dead.close(true);
  await second.close();
  await queue.close();
}

async function idsDuplicatesAndPauses() {
  await withQueue('single', async (job) => job.id, {}, async ({ queue, events, start }) => {
    const duplicated = once(events, 'duplicated');
    await queue.add('a', { v: 1 }, { jobId: 'only' });
    await queue.add('a', { v: 2 }, { jobId: 'only' });
    assert.strictEqual((await duplicated)[0].jobId, 'only');
    await queue.add('d', {}, { deduplication: { id: 'calm', ttl: 60000 } });
    await queue.add('d', {}, { deduplication: { id: 'calm', ttl: 60000 } });
    assert.strictEqual(await queue.count(), 2);
    await queue.pause();
    await start();
    assert.strictEqual(await queue.isPaused(), true);
    const finished = Promise.all((await queue.getJobs(['paused', 'wait'])).map((job) => job.waitUntilFinished(events, 10000)));
    await queue.resume();
    assert.strictEqual((await finished).length, 2);
    const job = await queue.getJob('only');
    await job.updateProgress(50);
    await job.log('a line');
    assert.deepStrictEqual((await queue.getJobLogs('only')).logs, ['a line']);
    await job.remove();
    assert.strictEqual(await queue.getJob('only'), undefined);
  });
}

async function manyWorkersAndProducers() {
  const done = new Map();
  const work = async (job) => done.set(job.id, (done.get(job.id) || 0) + 1);
  await withQueue('busy', work, { concurrency: 10 }, async ({ queue, start }) => {
    const workers = [await start()];
    for (let i = 0; i < 2; i++) workers.push(new Worker('busy', work, { connection, concurrency: 10 }));
    await Promise.all(Array.from({ length: 5 }, (_, p) =>
      queue.addBulk(Array.from({ length: 60 }, (__, i) => ({ name: 'n', data: { p, i } })))));
    await until(async () => (await queue.getCompletedCount()) === 300, 'three hundred jobs');
    assert.strictEqual(done.size, 300);
    assert.ok([...done.values()].every((times) => times === 1), 'no job was done twice');
    await Promise.all(workers.map((worker) => worker.close()));
  });
}

run([jobsAndResults, orderAndPriority, delayed, failuresAndRetries, schedulers, flows, rateLimits, stalled, idsDuplicatesAndPauses,
  manyWorkersAndProducers]);
