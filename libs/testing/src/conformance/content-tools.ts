/** Tools of the conformance fixture that answer at once: every kind of content, progress, log, errors, list changes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerContext } from '@modelcontextprotocol/server';
import { content, EMPTY_WAV, PNG_PIXEL, text } from './fixture-content.ts';
import { plainTool, type ConformanceTool } from './fixture-tool.ts';
import wholeVocabulary from './json-schema-2020-12.json' with { type: 'json' };

/** Between two notifications, so that they travel one by one. */
const STEP_MS = 20;

const image = { type: 'image', data: PNG_PIXEL, mimeType: 'image/png' } as const;

/** In the order in which they are listed. */
export const CONTENT_TOOLS: readonly ConformanceTool[] = [
  plainTool('test_simple_text', 'Answers a text.', () => text('This is a simple text response for testing.')),
  plainTool('test_image_content', 'Answers an image.', () => content(image)),
  plainTool('test_audio_content', 'Answers a sound.', () =>
    content({ type: 'audio', data: EMPTY_WAV, mimeType: 'audio/wav' }),
  ),
  plainTool('test_embedded_resource', 'Answers an embedded resource.', (_args, _context, { scheme }) =>
    content(embedded(`${scheme}://embedded-resource`, 'text/plain', 'This is an embedded resource content.')),
  ),
  plainTool('test_multiple_content_types', 'Answers text, image and resource.', (_args, _context, { scheme }) =>
    content(
      { type: 'text', text: 'Multiple content types test:' },
      image,
      embedded(`${scheme}://mixed-content-resource`, 'application/json', '{"test":"data","value":123}'),
    ),
  ),
  plainTool('test_error_handling', 'Always fails.', () => ({
    ...text('This tool intentionally returns an error for testing'),
    isError: true,
  })),
  plainTool('test_tool_with_logging', 'Logs three lines while it runs.', async (_args, context) => {
    for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await context.mcpReq.log('info', line);
      await delay(STEP_MS);
    }
    return text('Tool with logging executed successfully');
  }),
  plainTool('test_logging_tool', 'Logs one line.', async (_args, context) => {
    await context.mcpReq.log('info', 'test_logging_tool ran');
    return text('logged, for those who asked for it');
  }),
  plainTool('test_tool_with_progress', 'Reports its progress.', (_args, context) => reportProgress(context)),
  plainTool('test_streaming_elicitation', 'Answers on a stream without asking.', () => text('nothing to ask')),
  plainTool('test_reconnection', 'Ends its stream before it answers.', async (_args, context) => {
    context.http?.closeSSE?.();
    await delay(STEP_MS);
    return text('Reconnection test completed successfully');
  }),
  plainTool('test_trigger_tool_change', 'Adds or removes a tool.', (_args, _context, state) => {
    state.change('tools');
    return text('the list of tools has changed');
  }),
  plainTool('test_trigger_prompt_change', 'Adds or removes a prompt.', (_args, _context, state) => {
    state.change('prompts');
    return text('the list of prompts has changed');
  }),
  {
    name: 'json_schema_2020_12_tool',
    description: 'Its schema uses the whole vocabulary of JSON Schema 2020-12.',
    inputSchema: { ...wholeVocabulary, type: 'object' },
    run: (args) => text(JSON.stringify(args)),
  },
];

/** Listed only after an odd number of changes. */
export const CHANGING_TOOL = plainTool('test_changing_tool', 'Comes and goes.', () => text('still here'));

function embedded(uri: string, mimeType: string, value: string) {
  return { type: 'resource' as const, resource: { uri, mimeType, text: value } };
}

async function reportProgress(context: ServerContext) {
  const progressToken = context.mcpReq._meta?.progressToken;
  // Without a token there is nobody to report to.
  for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
    const message = `Completed step ${progress} of 100`;
    const params = { progressToken, progress, total: 100, message };
    await context.mcpReq.notify({ method: 'notifications/progress', params });
    await delay(STEP_MS);
  }
  return text(String(progressToken ?? 'no progress token'));
}
