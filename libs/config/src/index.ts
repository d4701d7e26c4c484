export { ConfigError } from './config-error.ts';
export { loadConfigFile, parseConfigFile } from './config-file.ts';
export { redactSettings, redactUrl } from './redact.ts';
export { loadSettings, type Setting, type SettingSources, type SettingValues } from './settings.ts';
