/**
 * Runs one statement on a connection: parameters, exchange, cells, column types. Which connection that is, and what
 * becomes of it afterwards, is the business of `database.ts`.
 */
import type { Column, SourceCell } from '@database-mcp/mcp-kit';
import type { RunCatalogQuery, createTypeNames } from '../column-types.ts';
import type { RowSink, Statement } from '../statement.ts';
import type { createParameterTypes } from '../parameter-types.ts';
import { isComposite, toParameterTexts, type ParameterType } from '../parameters.ts';
import { CONTROL_TIMEOUT_MS, CURSOR_SETTINGS, SQL_ASCII_SETTINGS, toCleanUpSql, toSetUp } from '../transaction.ts';
import { cellMakerOf } from '../values.ts';
import { watchAbort } from './abort.ts';
import { DEFAULT_MAX_VALUE_BYTES, type MessageGuard } from './message-guard.ts';
import { StatementExchange, type ExchangeOptions, type Field } from './statement-exchange.ts';
import type { WriteStep } from './write-step.ts';

/** A connection that a call has to itself. */
export interface Lease {
  readonly client: DriverClient;
  readonly guard: MessageGuard;
  /** Its session is its own, not shared by a pooler, and has our settings already. */
  readonly holdsSettings: boolean;
  /** It may have died unnoticed while it was idle. */
  readonly isStale: boolean;
  sendCancel(): void;
  /** The statement's transaction was open: what goes wrong then is not the fault of an idle connection. */
  isOpen: boolean;
  /** It must not be used again. */
  isBroken: boolean;
  /** Settles when the clean-up after its last statement is over. */
  atRest: Promise<void>;
}

/** What is used of the driver's client. */
export interface DriverClient {
  query(exchange: StatementExchange | WriteStep): unknown;
  query(query: CatalogQuery): Promise<{ rows: (string | null)[][] }>;
  on(event: 'notice', listener: (notice: { message?: string }) => void): unknown;
  off(event: 'notice', listener: (notice: { message?: string }) => void): unknown;
}

interface CatalogQuery {
  text: string;
  values: string[];
  rowMode: 'array';
  types: { getTypeParser(): (text: string) => string };
}

/** What is known of the types of one database. */
export interface Types {
  names: ReturnType<typeof createTypeNames>;
  ofParameters: ReturnType<typeof createParameterTypes>;
}

/** The text of every value, whatever its type: conversion is ours. */
const RAW_TEXT = { getTypeParser: () => (text: string) => text };
/** Batches after the first hold about this much. */
const BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_ROWS = 1_000;
/** No more is received for one answer, except that a row that began is read to its end. */
const MAX_RECEIVED_BYTES = 64 * 1024 * 1024;
/** What still comes when no more rows are wanted is read up to this size; beyond it the connection is dropped. */
const MAX_UNWANTED_BYTES = 1024 * 1024;
const MAX_NOTICES = 5;
const ESCAPED_NOTICE = 'The database has no encoding (SQL_ASCII); bytes that are not UTF-8 are shown as \\xNN.';

/** Runs it. Rejects with what the driver or the database threw, or the reason of the signal. */
export async function runStatement(
  lease: Lease,
  statement: Statement,
  sink: RowSink,
  signal: AbortSignal,
  context: { deadlineMs: number; types: Types },
): Promise<{ fields: readonly Field[]; notices: string[] }> {
  const { guard } = lease;
  const notices: string[] = [];
  const escapedBefore = guard.escapedValues;
  const cancelling = watchAbort(signal, lease.sendCancel);
  const run = async (): Promise<readonly Field[]> => {
    const params = await bindParameters(lease, statement, context);
    return await fetchRows(lease, statement, params, sink, notices, context.deadlineMs);
  };
  try {
    const fields = await Promise.race([run(), cancelling.gaveUp]);
    if (guard.escapedValues > escapedBefore) notices.push(ESCAPED_NOTICE);
    return { fields, notices };
  } finally {
    cancelling.release();
    guard.maxValueBytes = DEFAULT_MAX_VALUE_BYTES;
  }
}

/** The columns with the names of their types, which may have to be asked for. */
export async function describeColumns(
  lease: Lease,
  fields: readonly Field[],
  types: Types,
  signal: AbortSignal,
): Promise<Column[]> {
  const columnTypes = fields.map(({ dataTypeID, dataTypeModifier }) => ({
    oid: dataTypeID,
    modifier: dataTypeModifier,
  }));
  const cancelling = watchAbort(signal, lease.sendCancel);
  try {
    const names = await Promise.race([types.names.lookUp(columnTypes, catalogQueryOn(lease)), cancelling.gaveUp]);
    return fields.map((field, index) => ({ name: field.name, type: names[index] ?? '' }));
  } finally {
    cancelling.release();
  }
}

function catalogQueryOn(lease: Lease): RunCatalogQuery {
  return async (text, values) => {
    await lease.atRest;
    return (await lease.client.query({ text, values, rowMode: 'array', types: RAW_TEXT })).rows;
  };
}

/** The parameters as text. Only for an array or object among them the database is asked for their types before. */
export async function bindParameters(
  lease: Lease,
  { sql, params = [] }: Statement,
  context: { deadlineMs: number; types: Types },
): Promise<(string | null)[]> {
  if (!params.some(isComposite)) return toParameterTexts(params);
  const exchange = createExchange(lease, { sql, run: 'describe' }, context.deadlineMs);
  await settle(lease, exchange);
  const found: ParameterType[] = [];
  const run = catalogQueryOn(lease);
  for (const [index, value] of params.entries()) {
    if (isComposite(value)) found[index] = await context.types.ofParameters.lookUp(exchange.typeOids[index] ?? 0, run);
  }
  return toParameterTexts(params, found);
}

/** Gives the columns when all rows that are wanted were pushed. */
async function fetchRows(
  lease: Lease,
  { sql, skip = 0, before: prelude }: Statement,
  params: (string | null)[],
  sink: RowSink,
  notices: string[],
  deadlineMs: number,
): Promise<readonly Field[]> {
  const { client, guard } = lease;
  guard.maxValueBytes = sink.maxValueBytes ?? DEFAULT_MAX_VALUE_BYTES;
  const before = guard.receivedBytes;
  const received = (): number => guard.receivedBytes - before;
  let makers: ReturnType<typeof cellMakerOf>[] | undefined;
  let fullAt: number | undefined;
  const onRow: ExchangeOptions['onRow'] = (values, fields) => {
    makers ??= fields.map((field) => cellMakerOf(field.dataTypeID));
    const { cuts } = guard;
    const row = values.map((text, index): SourceCell =>
      text === null ? null : (makers?.[index]?.(text, cuts?.get(index)) ?? text),
    );
    if (!sink.push(row)) fullAt = received();
    else if (received() > MAX_RECEIVED_BYTES) {
      sink.interrupt?.(
        `Reading stopped after ${MAX_RECEIVED_BYTES / 1024 / 1024} MiB from the database; there is more.`,
      );
      exchange.stop();
    }
    return fullAt === undefined;
  };
  const exchange = createExchange(
    lease,
    {
      sql,
      run: { params, maxRows: sink.maxRows, skip },
      prelude,
      onRow,
      onUnwantedRow: () => {
        if (received() > (fullAt ?? 0) + MAX_UNWANTED_BYTES) exchange.stop();
      },
      batchSize: (taken) => Math.min(MAX_BATCH_ROWS, Math.max(1, Math.floor((BATCH_BYTES * taken) / received()))),
    },
    deadlineMs,
  );
  const onNotice = (notice: { message?: string }): void => {
    if (!exchange.isAtStatement || notices.length >= MAX_NOTICES || !notice.message) return;
    notices.push(`The database says: ${notice.message}`);
  };
  client.on('notice', onNotice);
  try {
    return await settle(lease, exchange);
  } finally {
    client.off('notice', onNotice);
    if (prelude !== undefined) lease.isBroken = true;
  }
}

type Wanted = Pick<ExchangeOptions, 'sql' | 'run'> &
  Partial<Pick<ExchangeOptions, 'onRow' | 'onUnwantedRow' | 'batchSize'>> & { prelude?: readonly string[] | undefined };

function createExchange(lease: Lease, { prelude, ...wanted }: Wanted, deadlineMs: number): StatementExchange {
  const { client, guard } = lease;
  const settings = {
    ...(guard.escapes ? SQL_ASCII_SETTINGS : {}),
    ...(wanted.run !== 'describe' && wanted.run.skip > 0 ? CURSOR_SETTINGS : {}),
  };
  return new StatementExchange({
    setUp: [...toSetUp(deadlineMs, lease.holdsSettings, settings), ...(prelude ?? [])],
    cleanUp: toCleanUpSql(lease.holdsSettings),
    isProbing: lease.isStale && !lease.isOpen,
    onRow: () => true,
    onUnwantedRow: () => {},
    batchSize: () => MAX_BATCH_ROWS,
    resubmit: (exchange) => void client.query(exchange),
    ...wanted,
  });
}

/** Sends it and waits for its end; when the connection should show that it lives, only for a while. */
async function settle(lease: Lease, exchange: StatementExchange): Promise<readonly Field[]> {
  const check = (): void => {
    if (!exchange.isOpen) exchange.handleError(new Error('timeout expired'));
  };
  const timer = lease.isStale && !lease.isOpen ? setTimeout(check, CONTROL_TIMEOUT_MS) : undefined;
  await lease.atRest;
  try {
    lease.client.query(exchange);
    lease.atRest = exchange.atRest.then(() => {
      if (exchange.isBroken) lease.isBroken = true;
    });
    return await exchange.done;
  } finally {
    clearTimeout(timer);
    if (exchange.isOpen) lease.isOpen = true;
    if (exchange.isBroken) lease.isBroken = true;
  }
}
