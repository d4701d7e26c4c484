/** What a family of resources is: one URI template, how one of them is read, and how its variables are completed. */
import type { ToolContext } from './define-tool.ts';
import type { TableResult } from './table-result.ts';

/** What a person has typed of one variable. */
export interface CompletionRequest<Variable extends string = string> {
  typed: string;
  /** The variables that have a value already. */
  chosen: Partial<Record<Variable, string>>;
  /** More names than this are of no use. */
  limit: number;
}

/** Names that begin with what was typed, of those that the database role may use. */
export type Complete<Variable extends string = string> = (
  request: CompletionRequest<Variable>,
  context: ToolContext,
) => Promise<string[]>;

/** A template as its file declares it. The URIs are `<instance>://{first}/{second}`, in the order of `variables`. */
export interface ResourceTemplateOptions<Variable extends string> {
  /** Without the instance prefix: `table`, published as `postgres_table`. */
  name: string;
  description: string;
  variables: readonly Variable[];
  /** Rejects with NOT_FOUND when there is no such thing. */
  read(values: Record<NoInfer<Variable>, string>, context: ToolContext): Promise<TableResult>;
  complete: Record<NoInfer<Variable>, Complete<NoInfer<Variable>>>;
}

/** A template whose variables are hidden, ready to be registered. */
export interface ResourceTemplate {
  readonly name: string;
  readonly description: string;
  readonly variables: readonly string[];
  readonly read: (values: readonly string[], context: ToolContext) => Promise<TableResult>;
  readonly complete: ReadonlyMap<string, Complete>;
}

/** Declares a template. */
export function defineResourceTemplate<Variable extends string>(
  options: ResourceTemplateOptions<Variable>,
): ResourceTemplate {
  const { name, description, variables } = options;
  return {
    name,
    description,
    variables,
    read: (values, context) => {
      const named = Object.fromEntries(variables.map((variable, index) => [variable, values[index] ?? '']));
      return options.read(named as Record<Variable, string>, context);
    },
    complete: new Map(Object.entries(options.complete) as [string, Complete][]),
  };
}
