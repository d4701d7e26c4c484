export { connectClient, type ClientEra, type ConnectOptions } from './connect-client.ts';
export { freePort } from './free-port.ts';
export { cpuSeconds, isRunning, listProcesses, processTree, residentBytes, type ProcessInfo } from './process-table.ts';
export { repositoryRoot } from './repository-root.ts';
export {
  spawnProcess,
  type ProcessExit,
  type ReadyCondition,
  type SpawnOptions,
  type SpawnedProcess,
} from './spawn-process.ts';
export { waitFor, type WaitOptions } from './wait-for.ts';
