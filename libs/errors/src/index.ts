export { ERROR_CODES, ToolError, type ErrorCode, type Failure } from './codes.ts';
export { JSON_RPC_ERROR, toErrorResult, toErrorText, toJsonRpcError, type ErrorResult } from './forms.ts';
export { closestName } from './closest-name.ts';
