/** What a tool is. A database server writes one file per tool; everything around the call is {@link callTool}'s. */
import { z } from 'zod';
import type { StatementDescription } from './statement-description.ts';
import type { TableResult } from './table-result.ts';

/** What a call may use besides its arguments. */
export interface ToolContext {
  /** Aborted when the client goes away, cancels, or the deadline passes: the database must end the statement then. */
  signal: AbortSignal;
}

/** Hints for the client; each must be decided, none has a default. */
export interface ToolAnnotations {
  readOnlyHint: boolean;
  destructiveHint: boolean;
  idempotentHint: boolean;
  openWorldHint: boolean;
}

/** Hints of a tool that only reads one database. */
export const READ_ONLY_ANNOTATIONS: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};

/** A tool as its file declares it. `name` has no instance prefix: `query`, published as `postgres_query`. */
export interface ToolOptions<Input extends z.ZodObject> {
  name: string;
  description: string;
  input: Input;
  annotations: ToolAnnotations;
  run(args: z.output<Input>, context: ToolContext): Promise<TableResult>;
  /** For the audit log: the statement that the arguments hold, without its values. Tools without a statement have none. */
  describe?(args: z.output<Input>): StatementDescription | Promise<StatementDescription>;
}

/** A tool whose argument type is hidden, ready to be registered. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  readonly inputSchema: JsonObjectSchema;
  readonly validate: (args: unknown) => z.ZodSafeParseResult<unknown>;
  readonly run: (args: unknown, context: ToolContext) => Promise<TableResult>;
  readonly describe: (args: unknown) => StatementDescription | Promise<StatementDescription> | undefined;
}

/** A JSON Schema of an object, as `tools/list` carries it. */
export interface JsonObjectSchema {
  type: 'object';
  [key: string]: unknown;
}

/** Declares a tool; the JSON schema is made here, once, and not per request. */
export function defineTool<Input extends z.ZodObject>(options: ToolOptions<Input>): Tool {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(options.input, { io: 'input' });
  return {
    name: options.name,
    description: options.description,
    annotations: options.annotations,
    inputSchema: { ...schema, type: 'object' },
    validate: (args) => options.input.safeParse(args),
    run: (args, context) => options.run(args as z.output<Input>, context),
    describe: (args) => options.describe?.(args as z.output<Input>),
  };
}
