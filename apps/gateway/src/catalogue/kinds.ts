/** The four kinds of things that a server lists, as data. */

/** What is listed. */
export type ListKind = 'tools' | 'prompts' | 'resources' | 'resourceTemplates';

/** How a kind is asked for, and what tells its items apart. */
export interface KindSpec {
  kind: ListKind;
  method: string;
  /** The member of the result that holds the items. */
  member: string;
  /** The member of an item that names it. */
  key: 'name' | 'uri' | 'uriTemplate';
  /** The server capability that promises the kind. */
  capability: 'tools' | 'prompts' | 'resources';
}

/** Every kind. */
export const LIST_KINDS: readonly KindSpec[] = [
  { kind: 'tools', method: 'tools/list', member: 'tools', key: 'name', capability: 'tools' },
  { kind: 'prompts', method: 'prompts/list', member: 'prompts', key: 'name', capability: 'prompts' },
  { kind: 'resources', method: 'resources/list', member: 'resources', key: 'uri', capability: 'resources' },
  {
    kind: 'resourceTemplates',
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
  },
];

/** The kind that a method lists. */
export const KIND_OF_METHOD: ReadonlyMap<string, KindSpec> = new Map(LIST_KINDS.map((spec) => [spec.method, spec]));

/** One value for each kind. */
export function forEachKind<T>(make: (spec: KindSpec) => T): Record<ListKind, T> {
  const [tools, prompts, resources, resourceTemplates] = LIST_KINDS;
  if (!tools || !prompts || !resources || !resourceTemplates) throw new Error('a kind of list is missing');
  return {
    tools: make(tools),
    prompts: make(prompts),
    resources: make(resources),
    resourceTemplates: make(resourceTemplates),
  };
}
