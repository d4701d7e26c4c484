const NO_VECTOR_UPDATES = 'the stand-in does not update or delete single vectors of a point';
const NO_OTHER_QUERIES = 'the stand-in does nearest queries only: no prefetch, fusion or recommendation';

/** Recorded pairs that the stand-in answers otherwise than the real server, by line id, each with the reason. */
export const EXPECTED_DIFFERENCES: { readonly [id: string]: string } = {
  'collections_named.10': NO_VECTOR_UPDATES,
  'collections_named.11': NO_VECTOR_UPDATES,
  'collections_named.12': 'shows the vectors that the two refused requests before it would have changed',
  'filters_existence.21': 'the stand-in does not do `slice`, which depends on a hash inside the real server',
  'query_named.12': NO_OTHER_QUERIES,
  'query_named.13': NO_OTHER_QUERIES,
  'query_named.17': NO_OTHER_QUERIES,
};
