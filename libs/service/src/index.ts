export { createService, type RawHandler, type Readiness, type Service, type ServiceOptions } from './service.ts';
export { readBody, refuseBody, sendJson, sendJsonText, type BodyOutcome } from './http-body.ts';
export { type SourceRules } from './source-guard.ts';
export { stopOnSignals, type SignalSource } from './stop-signals.ts';
export {
  createSessionId,
  createStatelessSessions,
  SESSION_HEADER,
  type StatelessSessions,
} from './stateless-session.ts';
export {
  ENDED_SESSION,
  MALFORMED_SESSION,
  readSessionId,
  refuseSession,
  serveOtherMethod,
  type SessionRefusal,
} from './session-requests.ts';
