/** What Neo4j remarks about a statement, as sentences; an unknown name gets the nearest known one. */
import { closestName } from '@database-mcp/errors';
import type { Database, NameKind, Remark } from './database.ts';

/** More remarks than this do not help. */
const MAX_NOTICES = 5;
const MAX_NOTICE_LENGTH = 300;

const UNKNOWN_NAME: Readonly<Record<string, { kind: NameKind; noun: string }>> = {
  'Neo.ClientNotification.Statement.UnknownLabelWarning': { kind: 'label', noun: 'label' },
  'Neo.ClientNotification.Statement.UnknownRelationshipTypeWarning': { kind: 'type', noun: 'relationship type' },
  'Neo.ClientNotification.Statement.UnknownPropertyKeyWarning': { kind: 'property', noun: 'property' },
};
/** Said of EXPLAIN only: when the statement runs, a missing parameter is an error. */
const IGNORED = 'Neo.ClientNotification.Statement.ParameterNotProvided';

/** The notices for an answer. A list of names that cannot be had only costs the suggestion. */
export async function createNotices(
  remarks: readonly Remark[],
  database: Database,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = remarks.filter(({ code }) => code !== IGNORED);
  const notices: string[] = [];
  for (const remark of wanted.slice(0, MAX_NOTICES)) notices.push(await toNotice(remark, database, signal));
  if (wanted.length > MAX_NOTICES) notices.push(`Neo4j has ${wanted.length - MAX_NOTICES} more remarks.`);
  return notices;
}

async function toNotice({ code, text }: Remark, database: Database, signal: AbortSignal): Promise<string> {
  const unknown = UNKNOWN_NAME[code];
  const name = /\(the missing (?:label name|relationship type|property name) is: (.*)\)$/s.exec(text)?.[1];
  if (!unknown || name === undefined) return `Neo4j: ${text.slice(0, MAX_NOTICE_LENGTH)}`;
  const known = await database.listNames(unknown.kind, signal).catch(() => []);
  const meant = closestName(name, known);
  const sentence = `There is no ${unknown.noun} ${JSON.stringify(name)} in the database.`;
  return meant === undefined ? sentence : `${sentence} Did you mean ${JSON.stringify(meant)}?`;
}
