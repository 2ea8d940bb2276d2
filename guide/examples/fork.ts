/** Makes a machine ready once, tries something else in each of its forks, and saves it for later. `node fork.ts [KERNEL INITRD]` */
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {VM} from 'openvmm';

const [kernel, initrd] = process.argv.slice(2);
const guest = kernel !== undefined && initrd !== undefined ? {kernel, initrd} : {image: 'debian:12'};

await using ready = await VM.create({...guest, name: 'ready'});
await ready.exec('mkdir -p /tmp/work; echo base >/tmp/work/state', {check: true});

const tries = await ready.fork(3);
await using _ended = new AsyncDisposableStack();
for (const each of tries) _ended.use(each);

await Promise.all(tries.map((each, index) => each.exec(`echo try ${index} >>/tmp/work/state`, {check: true})));
for (const each of [ready, ...tries]) {
	const state = await each.files.readText('/tmp/work/state');
	console.log(`${each.name}: ${state.trim().replace('\n', ', ')}`);
}

// A snapshot outlives the program: `openvmm run --restore` goes on from it too.
const folder = await mkdtemp(join(tmpdir(), 'openvmm-saved-'));
await ready.snapshot(join(folder, 'saved'));
await ready.stop();
const image = 'image' in guest ? {image: guest.image} : {};
await using later = await VM.restore(join(folder, 'saved'), {...image, name: 'later'});
console.log(`later: ${(await later.files.readText('/tmp/work/state')).trim()}`);
await rm(folder, {recursive: true});
