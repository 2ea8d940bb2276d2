import {execFileSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {Segmentation} from '#devices/network/endpoint';
import {makeTap, mayInNameSpace} from '#devices/network/testing';
import {tapKind} from './tap-kind.ts';

const tapTest = mayInNameSpace(makeTap) ? test : test.skip;

/** Runs a script in a name space of its own: what it says. */
function inNameSpace(script: string) {
	const path = fileURLToPath(new URL(`testing/${script}.ts`, import.meta.url));
	const said = execFileSync('unshare', ['-rn', process.execPath, '--import=tsx', path], {
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	return JSON.parse(said);
}

tapTest('a kernel gives and takes frames by a tap interface, with what is still to be done to them', (t) => {
	const {udp, ...found} = inNameSpace('in-name-space');
	t.deepEqual(found, {
		fromKernel: {needsChecksum: true, start: 34, offset: 6, isSame: true},
		sound: true,
		// The one whose checksum is wrong is not among them.
		lengths: [500, 600, ...(udp ? [1000, 1000, 500] : []), 800],
		again: 'NETWORK_TAP_UNUSABLE',
		gone: {carriers: [false], lost: 1},
	});
	t.log(`UDP is ${udp ? '' : 'not '}cut by this kernel`);
});

tapTest('a pair of queues has a queue of the interface, by which a flow is answered that it has sent', (t) => {
	t.deepEqual(inNameSpace('several-queues'), {
		// One and three pairs: of an interface that was made with several queues, and of one that was not.
		made: [1, 3, 1, 1],
		refused: ['NETWORK_TAP_UNUSABLE', 'NETWORK_TAP_UNUSABLE'],
		asked: {blocked: [], 5000: [1, 0, 1, 1, 0], 6000: [1], 7000: [0]},
		carriers: [false, false],
	});
});

tapTest('the TCP of two kernels meets by two tap interfaces, uncut both ways, by IPv4 and IPv6', (t) => {
	const {TCP4, TCP6} = Segmentation;
	t.deepEqual(inNameSpace('crossed'), {
		same: [true, true],
		kinds: [
			[TCP4, TCP6],
			[TCP4, TCP6],
		],
	});
});

test('a name that no interface has is refused', (t) => {
	t.deepEqual(tapKind.parse('vm0', '--virtio-net'), {kind: 'tap', name: 'vm0'});
	for (const name of ['', 'sixteen-letters-', 'a/b', 'a b', 'a%d', undefined]) {
		t.throws(() => tapKind.parse(name, '--virtio-net'), {code: 'CONFIG_VALUE_INVALID'});
		t.false(tapKind.isRight({name}));
	}
});
