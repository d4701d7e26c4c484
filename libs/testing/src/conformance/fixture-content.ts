/** Constants and small builders of what the conformance fixture answers with. */
import { inputRequired, type CallToolResult, type ContentBlock, type InputRequest } from '@modelcontextprotocol/server';

/** One red pixel. */
export const PNG_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** A WAV file without a sample. */
export const EMPTY_WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

/** A result of the given content blocks. */
export function content(...blocks: ContentBlock[]): CallToolResult {
  return { content: blocks };
}

/** A result of one text block. */
export function text(value: string): CallToolResult {
  return content({ type: 'text', text: value });
}

/** A form with one required field of its own. */
export function ask(message: string, field: string, type: 'string' | 'boolean'): InputRequest {
  const properties = { [field]: type === 'string' ? { type: 'string' as const } : { type: 'boolean' as const } };
  const requestedSchema = { type: 'object' as const, properties, required: [field] };
  return inputRequired.elicit({ message, requestedSchema });
}

/** A request for a completion by the client's model. */
export function askModel(question: string, maxTokens: number): InputRequest {
  const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: question } }];
  return inputRequired.createMessage({ messages, maxTokens });
}
