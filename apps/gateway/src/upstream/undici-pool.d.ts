/** The pool alone: undici's root module also loads fetch, WebSocket and caches, which cost 9 MiB of memory for nothing. */
declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
