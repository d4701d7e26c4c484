import { ToolError } from '@database-mcp/errors';

/** Throws INVALID_ARGUMENT unless there is one value for each `$n`. */
export function checkParameterCount(expected: number, given: number): void {
  if (expected === given) return;
  const used = expected === 0 ? 'no parameters' : expected === 1 ? '$1' : `$1 to $${expected}`;
  throw new ToolError({
    code: 'INVALID_ARGUMENT',
    message: `sql uses ${used}, but params has ${given} ${given === 1 ? 'value' : 'values'}.`,
    hint: expected > given ? 'Pass one value in params for each $n.' : 'Write $1, $2 … in sql where the values belong.',
  });
}
