import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createSubscriptions, type EventChannel, type Subscriptions } from './subscriptions.ts';

interface FakeChannel extends EventChannel {
  sent: string[];
  isEnded: boolean;
  unread: number;
  close(): void;
}

function createChannel(t: TestContext): FakeChannel {
  const listeners: (() => void)[] = [];
  const channel: FakeChannel = {
    sent: [],
    isEnded: false,
    unread: 0,
    send: (json) => void channel.sent.push(json),
    keepAlive: () => {},
    backlog: () => channel.unread,
    end: () => {
      channel.isEnded = true;
    },
    onClose: (listener) => void listeners.push(listener),
    close: () => listeners.splice(0).forEach((listener) => listener()),
  };
  t.after(channel.close);
  return channel;
}

function create(heard: () => Promise<void> = () => Promise.resolve()): {
  subscriptions: Subscriptions;
  wanted: string[];
} {
  const wanted: string[] = [];
  const subscriptions = createSubscriptions({
    serverInfo: { name: 'gateway', title: 'Gateway', version: '1' },
    keepAliveMs: 60_000,
    served: () => ({ prompts: true, resources: true }),
    feed: {
      subscribe: (uri) => wanted.push(uri) > 0,
      unsubscribe: (uri) => void wanted.splice(wanted.indexOf(uri), 1),
      heard,
    },
  });
  return { subscriptions, wanted };
}

const TOOLS: ReadonlySet<'tools'> = new Set(['tools'] as const);
const WANTS_TOOLS = { notifications: { toolsListChanged: true } };

test('a client that does not read what it listens to loses its stream, and only that', (t) => {
  const { subscriptions } = create();
  const [slow, quick] = [createChannel(t), createChannel(t)];
  subscriptions.listen('1', WANTS_TOOLS, () => slow);
  subscriptions.listen('1', WANTS_TOOLS, () => quick);
  slow.unread = 1024 * 1024;
  subscriptions.listsChanged(TOOLS);
  subscriptions.listsChanged(TOOLS);
  assert.deepEqual([slow.isEnded, slow.sent.length], [true, 1]);
  assert.deepEqual([quick.isEnded, quick.sent.length], [false, 3]);
});

test('nothing comes before the acknowledgement, and nothing that came meanwhile is lost', async (t) => {
  const heard = Promise.withResolvers<void>();
  const { subscriptions } = create(() => heard.promise);
  const channel = createChannel(t);
  const notifications = { toolsListChanged: true, resourceSubscriptions: ['a://1'] };
  subscriptions.listen('"x"', { notifications }, () => channel);
  subscriptions.listsChanged(TOOLS);
  subscriptions.listsChanged(TOOLS);
  subscriptions.resourceUpdated('a://1', 'a://1');
  assert.deepEqual(channel.sent, []);
  heard.resolve();
  await heard.promise;
  await Promise.resolve();
  const methods = channel.sent.map((json) => JSON.parse(json).method);
  assert.deepEqual(methods, [
    'notifications/subscriptions/acknowledged',
    'notifications/tools/list_changed',
    'notifications/resources/updated',
  ]);
});

test('at the end a stream that is not acknowledged yet gets its acknowledgement and its answer', (t) => {
  const { subscriptions } = create(() => new Promise(() => {}));
  const channel = createChannel(t);
  subscriptions.listen('9', { notifications: { resourceSubscriptions: ['a://1'] } }, () => channel);
  subscriptions.drain();
  assert.deepEqual(
    channel.sent.map((json) => JSON.parse(json).id ?? JSON.parse(json).method),
    ['notifications/subscriptions/acknowledged', 9],
  );
  assert.ok(channel.isEnded);
});

test('there are at most 1,024 streams; one that is closed makes room and gives its resources up', (t) => {
  const { subscriptions, wanted } = create();
  const channels = Array.from({ length: 1_024 }, () => createChannel(t));
  for (const channel of channels) {
    const notifications = { resourceSubscriptions: ['a://1'] };
    assert.equal(
      subscriptions.listen('1', { notifications }, () => channel),
      undefined,
    );
  }
  const refused = createChannel(t);
  assert.match(subscriptions.listen('1', WANTS_TOOLS, () => refused) ?? '', /1024 subscriptions already/);
  assert.equal(wanted.length, 1_024);
  channels[0]?.close();
  assert.equal(wanted.length, 1_023);
  assert.equal(
    subscriptions.listen('1', WANTS_TOOLS, () => refused),
    undefined,
  );
});
