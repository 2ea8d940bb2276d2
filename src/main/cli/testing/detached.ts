import {existsSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {detach, isDetached, whoWaits} from '../detach.ts';

// A machine in the background that only pretends: it is at its boot until there is the file that the first word names, and says something of it then.
const [, , go = ''] = process.argv;
if (!isDetached(process.env)) process.exit(await detach());

const waiting = whoWaits();
waiting.progress('boot', 0, 0);
while (!existsSync(go)) await sleep(50);
console.error('a warning');
waiting.ready('web');
