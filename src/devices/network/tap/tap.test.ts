import {execFileSync, spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {tapKind} from './tap-kind.ts';

/** A user may have a name space of its own on most hosts, and a tap interface in it. */
const mayHaveTap =
	spawnSync('unshare', ['-rn', 'ip', 'tuntap', 'add', 'dev', 'ovm0', 'mode', 'tap'], {stdio: 'ignore'}).status === 0;

(mayHaveTap ? test : test.skip)(
	'a kernel gives and takes frames by a tap interface, with what is still to be done to them',
	(t) => {
		const script = fileURLToPath(new URL('testing/in-name-space.ts', import.meta.url));
		const said = execFileSync('unshare', ['-rn', process.execPath, '--import=tsx', script], {
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		const {udp, ...found} = JSON.parse(said);
		t.deepEqual(found, {
			fromKernel: {needsChecksum: true, start: 34, offset: 6, isSame: true},
			sound: true,
			// The one whose checksum is wrong is not among them.
			lengths: [500, 600, ...(udp ? [1000, 1000, 500] : []), 800],
			again: 'NETWORK_TAP_UNUSABLE',
			gone: {carriers: [false], lost: 1},
		});
		t.log(`UDP is ${udp ? '' : 'not '}cut by this kernel`);
	},
);

test('a name that no interface has is refused', (t) => {
	t.deepEqual(tapKind.parse('vm0', '--virtio-net'), {kind: 'tap', name: 'vm0'});
	for (const name of ['', 'sixteen-letters-', 'a/b', 'a b', 'a%d', undefined]) {
		t.throws(() => tapKind.parse(name, '--virtio-net'), {code: 'CONFIG_VALUE_INVALID'});
		t.false(tapKind.isRight({name}));
	}
});
