/** Names of log fields, one place so that logs of all processes can be searched alike. Values are never secrets, arguments or results. */
export const LOG_FIELD = {
  /** Published tool name. */
  TOOL: 'tool',
  /** Upstream name from the gateway's configuration. */
  UPSTREAM: 'upstream',
  /** `ok`, `tool_error` or an error code. */
  STATUS: 'status',
  /** Wall time of the call in milliseconds. */
  DURATION_MS: 'durationMs',
  /** Bytes of the result. */
  BYTES: 'bytes',
  /** Joins an INTERNAL error shown to a client with the log line that holds its cause. */
  REFERENCE: 'reference',
} as const;
