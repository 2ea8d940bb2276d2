import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {inNameSpace, makeTap, mayInNameSpace} from '#devices/network/testing';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {flagged, linuxTest, until} from '#test/petri';
import {debianMachine, onBackEnd} from './testing/api-machine.ts';
import {answersByPairs, pingByPairs} from './testing/queue-pairs.ts';

const program = join(process.cwd(), 'test/guests/fixtures/tap-owner.mjs');
const [blocks, mtu] = [64, 1500];
const bytes = blocks * 65_536;

const script = [
	'modprobe -a virtio_pci virtio_net',
	until('ls /sys/class/net | grep -qv ^lo$'),
	'nic=$(ls /sys/class/net | grep -v ^lo$)',
	'ip addr add 10.0.0.2/24 dev $nic; ip addr add fd00::2/64 dev $nic; ip link set $nic up',
	// Linux looks first whether somebody else has the address, and asks by another one meanwhile.
	until('ping6 -c 1 -W 2 fd00::1 >/dev/null 2>&1'),
	`dd if=/dev/urandom of=/tmp/s bs=64k count=${blocks} 2>/dev/null; echo sent=$(md5sum </tmp/s | cut -c -32)`,
	'date +%s',
	'for address in 10.0.0.1 fd00::1; do echo got=$(nc $address 5000 </tmp/s | md5sum | cut -c -32); done',
	...pingByPairs('$nic', '10.0.0.1'),
	"dmesg | grep -E 'csum|WARNING: CPU|BUG:|Call Trace'",
].join('\n');

linuxTest(
	'Linux and its host talk by a tap interface, uncut, by two pairs of queues',
	async (t) => {
		const options = debianMachine(t, {
			network: false,
			processors: 2,
			devices: flagged({'virtio-net': ['queues=2:pcie_port=rp0:tap:ovm0']}),
			machine: {
				...onBackEnd.machine,
				pcie: {
					rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
					rootPorts: [parsePcieRootPort('rc0:rp0')],
				},
			},
		});
		const words = inNameSpace('exec "$@"', process.execPath, program, JSON.stringify({options, script, bytes}));
		const owner = spawn('unshare', words, {stdio: ['ignore', 'pipe', 'pipe']});
		t.teardown(() => owner.kill('SIGKILL'));
		const [told, complaints] = await Promise.all([text(owner.stdout), text(owner.stderr), once(owner, 'close')]);
		t.is(owner.exitCode, 0, complaints);
		const {stdout, stderr, given, taken, nic} = JSON.parse(told);
		const said = (name: string) => [...stdout.matchAll(new RegExp(`^${name}=(\\w+)$`, 'gm'))].map(([, word]) => word);
		const [sent] = said('sent');
		t.deepEqual(taken, [sent, sent], `${stdout}${stderr}`);
		t.deepEqual(said('got'), [given, given]);
		// The kernel answers the first of three before it has learnt that the flow has come by another queue (tun_get_user).
		for (const count of answersByPairs(stdout)) t.true(count >= 2, stdout);
		t.notRegex(stdout, /csum|WARNING: CPU|BUG:|Call Trace/);
		t.is(nic.tap.queues, 2);
		for (const [direction, counts] of Object.entries({sent: nic.sent, received: nic.received})) {
			// Fewer, with those that acknowledge, than packets of this MTU that have room for as much.
			t.true(counts.bytes > 2 * bytes && counts.frames < (2 * bytes) / mtu, `${direction}: ${JSON.stringify(counts)}`);
			t.is(counts.wrong, 0, direction);
			t.is(counts.finished, 0, direction);
		}
		t.is(nic.tap.lost, 0);
	},
	{skip: !mayInNameSpace(makeTap)},
);
