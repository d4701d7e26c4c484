export { createService, type RawHandler, type Readiness, type Service, type ServiceOptions } from './service.ts';
export { readBody, refuseBody, sendJson, sendJsonText, type BodyOutcome } from './http-body.ts';
export { type SourceRules } from './source-guard.ts';
export { stopOnSignals, type SignalSource } from './stop-signals.ts';
export {
  createCancellableCalls,
  createSessionId,
  isSessionId,
  SESSION_HEADER,
  type CancellableCalls,
} from './stateless-session.ts';
