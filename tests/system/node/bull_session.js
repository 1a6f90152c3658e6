// Bull, BullMQ's forerunner, which many still run: BRPOPLPUSH workers, pub/sub between scripts and queues. Called with the port; see
// users_session.js.
'use strict';
const assert = require('assert');
const Queue = require('bull');
const { port, run, until } = require('./users_session');

async function withQueue(name, options, body) {
  const queue = new Queue(name, { redis: { host: '127.0.0.1', port }, ...options });
  await queue.isReady();
  await body(queue);
  await queue.close();
}

async function jobsAndResults() {
  await withQueue('plain', {}, async (queue) => {
    queue.process(5, async (job) => job.data.n * 2);
    const jobs = await queue.addBulk(Array.from({ length: 60 }, (_, n) => ({ data: { n } })));
    const results = await Promise.all(jobs.map((job) => job.finished()));
    assert.deepStrictEqual(results, Array.from({ length: 60 }, (_, n) => n * 2));
    assert.strictEqual((await queue.getJobCounts()).completed, 60);
    assert.strictEqual((await queue.clean(0, 'completed')).length, 60);
  });
}

async function prioritiesAndDelays() {
  await withQueue('ranked', {}, async (queue) => {
    const seen = [];
    await queue.add({ n: 'c' }, { priority: 9 });
    await queue.add({ n: 'a' }, { priority: 1 });
    await queue.add({ n: 'b' }, { priority: 5 });
    const began = Date.now();
    const late = await queue.add({ n: 'late' }, { delay: 200 });
    queue.process(async (job) => seen.push(job.data.n) && Date.now());
    assert.ok((await late.finished()) >= began + 199);
    assert.deepStrictEqual(seen, ['a', 'b', 'c', 'late']);
  });
}

async function failuresRetriesAndProgress() {
  await withQueue('shaky', {}, async (queue) => {
    queue.process(async (job) => {
      await job.progress(40);
      if (job.attemptsMade < 2) throw new Error(`try ${job.attemptsMade}`);
      return 'done';
    });
    const job = await queue.add({}, { attempts: 3, backoff: 10 });
    assert.strictEqual(await job.finished(), 'done');
    assert.strictEqual((await queue.getJob(job.id)).progress(), 40);
    const bad = await queue.add({}, { attempts: 1 });
    await assert.rejects(bad.finished(), /try 0/);
    assert.strictEqual(await queue.getFailedCount(), 1);
    await bad.retry();
    await assert.rejects(bad.finished(), /try/);
  });
}

async function limitsAndRepeats() {
  await withQueue('slow', { limiter: { max: 2, duration: 150 } }, async (queue) => {
    const times = [];
    for (let i = 0; i < 5; i++) await queue.add({ i });
    const began = Date.now();
    queue.process(async () => times.push(Date.now()));
    await until(() => times.length === 5, 'five jobs');
    assert.ok(times[4] - began >= 299, `three windows, not ${times[4] - began} ms`);
  });
  await withQueue('rhythm', {}, async (queue) => {
    let ticks = 0;
    queue.process(async () => { ticks += 1; });
    await queue.add({}, { repeat: { every: 60, limit: 3 } });
    await until(() => ticks === 3, 'three ticks');
    assert.strictEqual((await queue.getDelayedCount()), 0);
  });
}

async function pausesAndObliteration() {
  await withQueue('paused', {}, async (queue) => {
    await queue.pause();
    const job = await queue.add({});
    queue.process(async () => 1);
    assert.strictEqual(await job.getState(), 'paused');
    await queue.resume();
    assert.strictEqual(await job.finished(), 1);
    await queue.pause();
    await queue.add({});
    await queue.obliterate({ force: true });
    assert.strictEqual(await queue.count(), 0);
  });
}

run([jobsAndResults, prioritiesAndDelays, failuresRetriesAndProgress, limitsAndRepeats, pausesAndObliteration]);
