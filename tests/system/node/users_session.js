// What the sessions of users' packages share: the clients are ended, whatever happened, and the status says how it went.
// Called with the server's port; prints `all well` or the first thing that was not.
'use strict';
const Redis = require('ioredis');

const port = Number(process.argv[2]);
const connection = { host: '127.0.0.1', port };

// Resolves when condition() is true; for what has no event to wait for.
async function until(condition, what, timeout = 10000) {
  const deadline = Date.now() + timeout;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > deadline) throw new Error(`not so within ${timeout} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

// The first `event` of an emitter for which accept(...) is true.
function once(emitter, event, accept = () => true) {
  return new Promise((done) => {
    const listen = (...args) => {
      if (!accept(...args)) return;
      emitter.removeListener(event, listen);
      done(args);
    };
    emitter.on(event, listen);
  });
}

function client(options) {
  return new Redis({ ...connection, ...options });
}

// Runs the parts of a session one after the other, each on an empty server.
async function run(parts) {
  const redis = client();
  for (const part of parts) {
    await redis.flushall();
    try {
      await part(redis);
    } catch (error) {
      console.error(`in ${part.name}:`, error);
      process.exit(1);
    }
    console.log(`${part.name}: well`);
  }
  await redis.quit();
  console.log('all well');
  process.exit(0);
}

module.exports = { client, connection, once, port, run, until };
