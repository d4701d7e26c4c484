/** `node deploy/bundle/src/main.ts [APP_FOLDER…]`: bundles the apps in these folders, or in the current one. */
import { resolve } from 'node:path';
import { stop } from 'esbuild';
import { bundleApp } from './bundle-app.ts';

const folders = process.argv.slice(2);
const bundles = await Promise.all((folders.length > 0 ? folders : ['.']).map((folder) => bundleApp(resolve(folder))));
await stop();
console.log(bundles.join('\n'));
