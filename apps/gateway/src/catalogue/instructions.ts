/** The `instructions` of the gateway: how its names work, then what each upstream says about itself. */

/** One upstream's part. */
export interface InstructionSource {
  name: string;
  prefix: string;
  instructions?: string;
}

/** Instructions are in every conversation of a client; a server that needs more should put it into descriptions. */
const MAX_SECTION_CHARS = 4_000;
/** All together, preamble included. */
const MAX_TOTAL_CHARS = 16_000;

/** Joins the parts in configuration order, with each part and the whole capped. */
export function mergeInstructions(sources: readonly InstructionSource[]): string {
  const names = sources.map(({ name, prefix }) => (prefix === '' ? name : `${name} (tools ${prefix}…)`)).join(', ');
  let text =
    `This gateway joins several databases: ${names}. The beginning of a tool's name says which database it works on; ` +
    'pick the database that holds what the question is about, and combine results of several tools when it needs ' +
    'more than one. list_services tells which databases are up; if one is down, the others still work.';
  for (const { name, instructions } of sources) {
    if (instructions === undefined) continue;
    const section = `\n\n## ${name}\n${cut(instructions, MAX_SECTION_CHARS)}`;
    if (text.length + section.length > MAX_TOTAL_CHARS) break;
    text += section;
  }
  return text;
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit)} […]`;
}
