/** Tools of the conformance fixture that need more than one round trip, as the scenarios of 2026-07-28 want it. */
import { acceptedContent, CLIENT_CAPABILITIES_META_KEY, inputRequired } from '@modelcontextprotocol/server';
import type { ClientCapabilities, InputRequests } from '@modelcontextprotocol/server';
import { ask, askModel, text } from './fixture-content.ts';
import { plainTool, type ConformanceTool, type ToolRun } from './fixture-tool.ts';

interface RoundState {
  tool?: unknown;
  round?: unknown;
  name?: unknown;
}

interface Envelope {
  [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities;
}

const askName = ask('What is your name?', 'name', 'string');
const askGreeting = askModel('Generate a greeting', 50);

/** In the order in which they are listed. */
export const INPUT_REQUIRED_TOOLS: readonly ConformanceTool[] = [
  plainTool('test_missing_capability', 'Needs a client with a model.', (_args, context) => {
    if (context.mcpReq.inputResponses?.['llm_answer'] !== undefined) return text('the model has answered');
    return inputRequired({ inputRequests: { llm_answer: askModel('Reply with the single word: pong', 16) } });
  }),
  plainTool('test_input_required_result_elicitation', 'Asks for a name.', (_args, context) => {
    const name = acceptedContent(context.mcpReq.inputResponses, 'user_name')?.['name'];
    return typeof name === 'string'
      ? text(`Hello, ${name}!`)
      : inputRequired({ inputRequests: { user_name: askName } });
  }),
  plainTool('test_input_required_result_sampling', "Asks the client's model.", (_args, context) => {
    const reply = context.mcpReq.inputResponses?.['capital_question'];
    if (reply !== undefined) return text(`Sampling response: ${JSON.stringify(reply)}`);
    return inputRequired({ inputRequests: { capital_question: askModel('What is the capital of France?', 100) } });
  }),
  plainTool('test_input_required_result_list_roots', 'Asks for the roots.', (_args, context) => {
    const roots = rootsOf(context.mcpReq.inputResponses);
    if (roots) return text(`The client has ${roots.length} root(s): ${JSON.stringify(roots)}`);
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  }),
  plainTool('test_input_required_result_request_state', 'Asks and wants its state back.', confirm('request_state')),
  plainTool('test_input_required_result_tampered_state', 'Refuses a changed state.', confirm('tampered_state')),
  plainTool(
    'test_input_required_result_multiple_inputs',
    'Asks three things at once.',
    async (_args, context, state) => {
      const { inputResponses } = context.mcpReq;
      const name = acceptedContent(inputResponses, 'user_name')?.['name'];
      const greeting = inputResponses?.['greeting'];
      const roots = rootsOf(inputResponses);
      if (typeof name === 'string' && greeting !== undefined && roots) {
        return text(`${JSON.stringify(greeting)} ${name}, ${roots.length} root(s)`);
      }
      const inputRequests = { user_name: askName, greeting: askGreeting, client_roots: inputRequired.listRoots() };
      return inputRequired({ inputRequests, requestState: await state.seal({ tool: 'multiple_inputs' }) });
    },
  ),
  plainTool('test_input_required_result_multi_round', 'Asks twice.', runRounds()),
  plainTool(
    'test_input_required_result_capabilities',
    'Asks only what the client can answer.',
    (...[, context, state]) => {
      if (context.mcpReq.inputResponses !== undefined) return text('asked and answered');
      const envelope: Envelope | undefined = context.mcpReq.envelope;
      const declared = envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? state.sessionCapabilities;
      const inputRequests: InputRequests = {
        ...(declared?.elicitation ? { user_name: askName } : {}),
        ...(declared?.sampling ? { greeting: askGreeting } : {}),
        ...(declared?.roots ? { client_roots: inputRequired.listRoots() } : {}),
      };
      return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : text('there is nothing to ask');
    },
  ),
];

/** Both state tools do the same: what differs is what the scenario sends back. */
function confirm(tool: string): ToolRun {
  return async (_args, context, state) => {
    const confirmed = acceptedContent(context.mcpReq.inputResponses, 'confirm') !== undefined;
    if (confirmed && context.mcpReq.requestState() !== undefined)
      return text('state-ok: the state came back unchanged');
    const inputRequests = { confirm: ask('Please confirm', 'ok', 'boolean') };
    return inputRequired({ inputRequests, requestState: await state.seal({ tool }) });
  };
}

/** Which round it is stands in the sealed state: nothing else outlives a request. */
function runRounds(): ToolRun {
  const tool = 'multi_round';
  return async (_args, context, state) => {
    const before = context.mcpReq.requestState<RoundState>();
    const round = before?.tool === tool ? before.round : undefined;
    if (round === undefined) {
      const inputRequests = { step1: ask('Step 1: What is your name?', 'name', 'string') };
      return inputRequired({ inputRequests, requestState: await state.seal({ tool, round: 1 }) });
    }
    if (round === 1) {
      const name = acceptedContent(context.mcpReq.inputResponses, 'step1')?.['name'] ?? 'unknown';
      const inputRequests = { step2: ask('Step 2: What is your favourite colour?', 'color', 'string') };
      return inputRequired({ inputRequests, requestState: await state.seal({ tool, round: 2, name }) });
    }
    const color = acceptedContent(context.mcpReq.inputResponses, 'step2')?.['color'] ?? 'unknown';
    return text(`${String(before?.name)} likes ${String(color)}`);
  };
}

function rootsOf(responses: Record<string, unknown> | undefined): unknown[] | undefined {
  const reply = responses?.['client_roots'];
  if (typeof reply !== 'object' || reply === null || !('roots' in reply)) return undefined;
  return Array.isArray(reply.roots) ? reply.roots : undefined;
}
