/** Tools of the conformance fixture that ask once, as the scenarios of 2025-11-25 want it. */
import { inputRequired, type ElicitRequestFormParams } from '@modelcontextprotocol/server';
import { askModel, text } from './fixture-content.ts';
import { plainTool, type ConformanceTool, type ToolRun } from './fixture-tool.ts';

type FormSchema = ElicitRequestFormParams['requestedSchema'];

const KEY = 'answer';

/** Every primitive type with a default value. */
const DEFAULTS: FormSchema['properties'] = {
  name: { type: 'string', description: 'User name', default: 'John Doe' },
  age: { type: 'integer', description: 'User age', default: 30 },
  score: { type: 'number', description: 'User score', default: 95.5 },
  status: {
    type: 'string',
    description: 'User status',
    enum: ['active', 'inactive', 'pending'],
    default: 'active',
  },
  verified: { type: 'boolean', description: 'Verification status', default: true },
};

/** Every way to offer a choice. */
const CHOICES: FormSchema['properties'] = {
  untitledSingle: { type: 'string', description: 'Select one', enum: ['option1', 'option2', 'option3'] },
  titledSingle: { type: 'string', description: 'Select one with titles', oneOf: titled('Option') },
  legacyEnum: {
    type: 'string',
    description: 'Select one (legacy)',
    enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'],
  },
  untitledMulti: {
    type: 'array',
    description: 'Select several',
    minItems: 1,
    maxItems: 3,
    items: { type: 'string', enum: ['option1', 'option2', 'option3'] },
  },
  titledMulti: {
    type: 'array',
    description: 'Select several with titles',
    minItems: 1,
    maxItems: 3,
    items: { anyOf: titled('Choice') },
  },
};

/** In the order in which they are listed. */
export const ELICITATION_TOOLS: readonly ConformanceTool[] = [
  {
    name: 'test_sampling',
    description: "Asks the client's model.",
    inputSchema: stringArgument('prompt', 'What the model is asked'),
    run: (args, context) => {
      const reply = context.mcpReq.inputResponses?.[KEY];
      if (reply === undefined)
        return inputRequired({ inputRequests: { [KEY]: askModel(String(args['prompt']), 100) } });
      return text(`LLM response: ${JSON.stringify(reply)}`);
    },
  },
  {
    name: 'test_elicitation',
    description: 'Asks the user.',
    inputSchema: stringArgument('message', 'What the user is asked'),
    run: (args, ...rest) => {
      const properties = { response: { type: 'string' as const, description: "User's response" } };
      return askForm(String(args['message']), properties, ['response'])(args, ...rest);
    },
  },
  plainTool(
    'test_elicitation_sep1034_defaults',
    'Asks with default values.',
    askForm('Please review and update the form fields with defaults', DEFAULTS, []),
  ),
  plainTool(
    'test_elicitation_sep1330_enums',
    'Asks with every way to offer a choice.',
    askForm('Please select options from the enum fields', CHOICES, []),
  ),
];

function askForm(message: string, properties: FormSchema['properties'], required: string[]): ToolRun {
  return (_args, context) => {
    const reply = context.mcpReq.inputResponses?.[KEY];
    if (reply !== undefined) return text(`User response: ${JSON.stringify(reply)}`);
    const requestedSchema = { type: 'object' as const, properties, required };
    return inputRequired({ inputRequests: { [KEY]: inputRequired.elicit({ message, requestedSchema }) } });
  };
}

function titled(what: string) {
  return ['First', 'Second', 'Third'].map((rank, index) => ({ const: `value${index + 1}`, title: `${rank} ${what}` }));
}

function stringArgument(name: string, description: string) {
  return { type: 'object' as const, properties: { [name]: { type: 'string', description } }, required: [name] };
}
