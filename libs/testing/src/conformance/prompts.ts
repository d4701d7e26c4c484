/** The prompts of the conformance fixture. */
import {
  acceptedContent,
  inputRequired,
  type ContentBlock,
  type GetPromptResult,
  type InputRequiredResult,
  type Prompt,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { ask, PNG_PIXEL } from './fixture-content.ts';

/** A prompt of the fixture; its name is without the prefix. */
export interface ConformancePrompt extends Prompt {
  render(args: Readonly<Record<string, string>>, context: ServerContext): GetPromptResult | InputRequiredResult;
}

/** In the order in which they are listed. */
export const PROMPTS: readonly ConformancePrompt[] = [
  {
    name: 'test_simple_prompt',
    title: 'Simple Test Prompt',
    description: 'A prompt without arguments.',
    render: () => messages({ type: 'text', text: 'This is a simple prompt for testing.' }),
  },
  {
    name: 'test_prompt_with_arguments',
    description: 'A prompt with two required arguments.',
    arguments: [argument('arg1', 'First test argument'), argument('arg2', 'Second test argument')],
    render: (args) =>
      messages({ type: 'text', text: `Prompt with arguments: arg1='${args['arg1']}', arg2='${args['arg2']}'` }),
  },
  {
    name: 'test_prompt_with_embedded_resource',
    description: 'A prompt that embeds a resource.',
    arguments: [argument('resourceUri', 'URI of the resource to embed')],
    render: (args) =>
      messages(
        {
          type: 'resource',
          resource: { uri: args['resourceUri'] ?? '', mimeType: 'text/plain', text: 'Embedded resource content.' },
        },
        { type: 'text', text: 'Please process the embedded resource above.' },
      ),
  },
  {
    name: 'test_prompt_with_image',
    description: 'A prompt with an image.',
    render: () =>
      messages(
        { type: 'image', data: PNG_PIXEL, mimeType: 'image/png' },
        { type: 'text', text: 'Please analyze the image above.' },
      ),
  },
  {
    name: 'test_input_required_result_prompt',
    description: 'A prompt that asks for its context.',
    render: (_args, context) => {
      const given = acceptedContent(context.mcpReq.inputResponses, 'user_context')?.['context'];
      if (typeof given === 'string') return messages({ type: 'text', text: `Use the following context: ${given}` });
      const inputRequests = { user_context: ask('What context should the prompt use?', 'context', 'string') };
      return inputRequired({ inputRequests });
    },
  },
];

/** Listed only after an odd number of changes. */
export const CHANGING_PROMPT: ConformancePrompt = {
  name: 'test_changing_prompt',
  description: 'Comes and goes.',
  render: () => messages({ type: 'text', text: 'still here' }),
};

/** The values that the arguments `arg1` and `arg2` are completed to. */
export const ARGUMENT_VALUES: readonly string[] = ['alpha', 'beta', 'gamma', 'test', 'testing'];

function messages(...blocks: ContentBlock[]): GetPromptResult {
  return { messages: blocks.map((block) => ({ role: 'user', content: block })) };
}

function argument(name: string, description: string) {
  return { name, description, required: true };
}
