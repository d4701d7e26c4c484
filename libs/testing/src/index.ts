export {
  startConformanceServer,
  type ConformanceServer,
  type ConformanceServerOptions,
} from './conformance/conformance-server.ts';
export { connectClient, type ClientEra, type ConnectOptions } from './connect-client.ts';
export type { CallExample } from './contract/rule.ts';
export {
  startFixtureServer,
  type FixtureCall,
  type FixtureOptions,
  type FixtureServer,
  type FixtureStats,
} from './fixture/fixture-server.ts';
export {
  startRawUpstream,
  type RawUpstream,
  type RawUpstreamOptions,
  type RawUpstreamStats,
} from './fixture/raw-upstream.ts';
export { LARGE_RESULT_BYTES, SMALL_RESULT_BYTES, type FixtureTool } from './fixture/tools.ts';
export { freePort } from './free-port.ts';
export {
  buildRpcRequest,
  httpRequest,
  LEGACY_VERSIONS,
  MODERN_VERSION,
  readEvents,
  rpcRequest,
  type HttpAnswer,
  type HttpRequestOptions,
  type RpcAnswer,
  type RpcMessage,
  type RpcRequestOptions,
} from './http-request.ts';
export { assertNoLeftovers, RUN_MARKER_VARIABLE, type LeftoverOptions, type ProcessWatch } from './leftovers.ts';
export { cpuSeconds, isRunning, listProcesses, processTree, residentBytes, type ProcessInfo } from './process-table.ts';
export { countSpans, type ReceivedAttributes, type ReceivedMetric, type ReceivedSpan } from './otlp/decode.ts';
export {
  startOtlpReceiver,
  type OtlpReceiver,
  type OtlpReceiverOptions,
  type ReceiverMood,
} from './otlp/otlp-receiver.ts';
export { listenLocally, type LocalServer } from './listen-locally.ts';
export { repositoryRoot } from './repository-root.ts';
export { peakResidentBytes } from './resident-peak.ts';
export { assertServerContract, type ServerContractOptions } from './server-contract.ts';
export {
  spawnProcess,
  type ProcessExit,
  type ReadyCondition,
  type SpawnOptions,
  type SpawnedProcess,
} from './spawn-process.ts';
export { waitFor, type WaitOptions } from './wait-for.ts';
