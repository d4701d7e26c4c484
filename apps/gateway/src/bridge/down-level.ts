/**
 * Content for clients of old revisions (G34): 2025-03-26 and 2024-11-05 know neither `resource_link` blocks nor
 * `structuredContent`, and 2024-11-05 no audio. What they cannot read becomes text; everything else keeps its bytes.
 */
import { isObject } from '../protocol.ts';
import { findValue, listElements } from '../json-spans.ts';
import { editMessage, editObject } from './message-text.ts';

const WITHOUT_AUDIO = '2024-11-05';
const WITHOUT_LINKS = new Set(['2025-03-26', WITHOUT_AUDIO]);

/** Whether results for clients of that revision may have to be rewritten. */
export function isOldRevision(version: string): boolean {
  return WITHOUT_LINKS.has(version);
}

/** The message whose result is that value, as a client of that revision can read it. */
export function downLevelResult(message: Buffer, result: unknown, version: string): Buffer {
  if (!isOldRevision(version) || !isObject(result)) return message;
  const { content, structuredContent } = result;
  if (!Array.isArray(content)) return message;
  if (content.length === 0 && structuredContent !== undefined) return withStructuredText(message);
  const array = findValue(message, 'result', 'content');
  const whole = findValue(message, 'result');
  if (!array || !whole || !content.some((block) => describeBlock(block, version) !== undefined)) return message;
  const blocks = listElements(message, array.start).map(({ start, end }, index) => {
    const text = describeBlock(content[index], version);
    return text === undefined ? message.toString('utf8', start, end) : JSON.stringify({ type: 'text', text });
  });
  return editMessage(message, { result: editObject(message, whole, { content: `[${blocks.join(',')}]` }) });
}

/** The text in place of a block that the revision does not know, or undefined if it knows it. */
function describeBlock(block: unknown, version: string): string | undefined {
  if (!isObject(block)) return undefined;
  if (block['type'] === 'resource_link') {
    const title = [block['title'], block['name']].find((name) => typeof name === 'string') ?? 'resource';
    const description = typeof block['description'] === 'string' ? `: ${block['description']}` : '';
    return `${String(title)} (${String(block['uri'])})${description}`;
  }
  if (block['type'] === 'audio' && version === WITHOUT_AUDIO) {
    return `[audio, ${String(block['mimeType'])}, which this client's protocol version cannot carry]`;
  }
  return undefined;
}

function withStructuredText(message: Buffer): Buffer {
  const structured = findValue(message, 'result', 'structuredContent');
  const whole = findValue(message, 'result');
  if (!structured || !whole) return message;
  const text = message.toString('utf8', structured.start, structured.end);
  const content = `[${JSON.stringify({ type: 'text', text })}]`;
  return editMessage(message, { result: editObject(message, whole, { content }) });
}
