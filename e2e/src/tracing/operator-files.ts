/** What the files under deploy/observability ask Prometheus for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '@database-mcp/testing';

/** The folder. */
export const OPERATOR_FILES = join(repositoryRoot, 'deploy/observability');

/** The queries of the dashboard and of the alert rules, with the name of what asks. */
export function readQueries(): { from: string; query: string }[] {
  const read = (name: string): string => readFileSync(join(OPERATOR_FILES, name), 'utf8');
  const { panels } = JSON.parse(read('grafana-dashboard.json')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  };
  const shown = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ from: title, query: expr })));
  // The text between `expr:` and the next key.
  const rules = [...read('prometheus-rules.yaml').matchAll(/- alert: (\w+)\n\s+expr: ([^]*?)\n\s+for:/g)];
  return [...shown, ...rules.map(([, from = '', query = '']) => ({ from, query }))];
}

/** The metrics that a query reads: its words that are no function, keyword, label or text. */
export function metricsIn(query: string): string[] {
  const plain = query
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\bby \([^)]*\)/g, '');
  return [...plain.matchAll(/\b[a-z]+_[a-z0-9_]+\b(?!\s*\()/g)].map(([name]) => name);
}

/** The labels that a query selects or groups by. */
export function labelsIn(query: string): string[] {
  const inBraces = [...query.matchAll(/\{([^}]*)\}/g)].flatMap(([, text = '']) => [...text.matchAll(/(\w+)\s*[=!]/g)]);
  const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, text = '']) => [...text.matchAll(/\w+/g)]);
  return [...inBraces.map(([, name = '']) => name), ...grouped.map(([name]) => name)];
}
