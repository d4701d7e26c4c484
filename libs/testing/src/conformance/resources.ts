/** The resources of the conformance fixture. Its URIs hold the prefix, so that two fixtures do not clash. */
import { ResourceNotFoundError, type ReadResourceResult, type Resource } from '@modelcontextprotocol/server';
import { PNG_PIXEL } from './fixture-content.ts';

/** The scheme of a fixture's URIs: `test`, or `test-x` for the prefix `x_`. */
export function schemeOf(prefix: string): string {
  return prefix === '' ? 'test' : `test-${prefix.toLowerCase().replace(/_$/, '').replaceAll('_', '-')}`;
}

/** The resources in the order in which they are listed. */
export function listResources(scheme: string): Resource[] {
  return [
    {
      uri: `${scheme}://static-text`,
      name: 'static-text',
      title: 'Static Text Resource',
      description: 'A text that never changes.',
      mimeType: 'text/plain',
    },
    {
      uri: `${scheme}://static-binary`,
      name: 'static-binary',
      description: 'An image that never changes.',
      mimeType: 'image/png',
    },
    {
      uri: `${scheme}://watched-resource`,
      name: 'watched-resource',
      description: 'A resource to subscribe to.',
      mimeType: 'text/plain',
    },
  ];
}

/** The resource templates. */
export function listTemplates(scheme: string) {
  return [
    {
      uriTemplate: `${scheme}://template/{id}/data`,
      name: 'template',
      description: 'Data that depend on an id.',
      mimeType: 'application/json',
    },
  ];
}

/** The contents of a resource. */
export function readResource(scheme: string, uri: string): ReadResourceResult {
  const path = uri.startsWith(`${scheme}://`) ? uri.slice(scheme.length + 3) : '';
  if (path === 'static-text') return plain(uri, 'This is the content of the static text resource.');
  if (path === 'watched-resource') return plain(uri, 'Watched resource content');
  if (path === 'static-binary') return { contents: [{ uri, mimeType: 'image/png', blob: PNG_PIXEL }] };
  const id = /^template\/([^/]+)\/data$/.exec(path)?.[1];
  if (id === undefined) throw new ResourceNotFoundError(uri);
  const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
  return { contents: [{ uri, mimeType: 'application/json', text: data }] };
}

function plain(uri: string, value: string): ReadResourceResult {
  return { contents: [{ uri, mimeType: 'text/plain', text: value }] };
}
