import test, {type ExecutionContext} from 'ava';
import {embeddedGuest} from './index.ts';
import {hasQemu, runInQemu} from './testing/index.ts';
import {expectedChunkSums} from './work.ts';

const guest = embeddedGuest();
const run = (commandLine: string, ...options: readonly string[]) =>
	runInQemu({image: guest.image, commandLine, arguments: options});
const untilSeen = (commandLine: string, text: string) =>
	runInQemu({image: guest.image, commandLine, arguments: ['-smp', '2'], stopAfter: {text, delayMs: 150}});

/** Serial, because each run keeps several threads busy; skipped with this title where QEMU is missing. */
function testInQemu(title: string, body: (t: ExecutionContext) => Promise<void>): void {
	const isRunnable = hasQemu();
	const choose = isRunnable ? test.serial : test.serial.skip;
	choose(`in QEMU: ${title}${isRunnable ? '' : ' (skipped: qemu-system-x86_64 is not installed)'}`, body);
}

test('the image is an ELF file with the PVH entry in a note', (t) => {
	const file = Buffer.from(guest.image);
	t.is(file.toString('latin1', 0, 4), '\x7fELF');
	const note = file.indexOf('Xen\0', 0, 'latin1');
	t.is(file.readUInt32LE(note - 4), 18);
	t.is(Number(file.readBigUInt64LE(note + 4)), guest.entry);
	t.true(guest.entry >= guest.loadAddress && guest.entry < guest.loadAddress + guest.flat.length);
});

test('two builds give the same bytes', (t) => {
	t.deepEqual(embeddedGuest().image, guest.image);
});

test('the expected sums are those that another program computed', (t) => {
	t.is(
		expectedChunkSums().reduce((total, sum) => total + sum),
		35_098_713_801_860n,
	);
});

for (const [cpus, options] of [
	[1, ['-m', '16']],
	[2, ['-m', '5G']],
	[8, ['-machine', 'q35']],
	[64, []],
] as const) {
	testInQemu(`${cpus} CPUs share the work and the machine powers off ${options.join(' ')}`, async (t) => {
		const {output, status} = await run('work=1600', '-smp', `${cpus}`, ...options);
		t.is(status, 0, output);
		t.regex(output, new RegExp(`CPUs: ${cpus} found, ${cpus} running`));
		t.is(output.match(/^CPU \d+: APIC id \d+, user mode, \d+ chunks/gm)?.length, cpus);
		t.regex(output, /Sum [0-9a-f]+ over 3276800 items in [\d.]+ ms \([\d.]+ M items\/s\): OK/);
		t.regex(output, /Powering off\r\n$/);
	});
}

testInQemu('user mode is entered and left by either way', async (t) => {
	for (const ways of ['enter=iret leave=int', 'enter=sysret leave=syscall', 'enter=sysret leave=int']) {
		const {output} = await run(`work=500 ${ways} unknown words=9 are ignored`, '-smp', '2');
		t.regex(output, /: OK\r\n/, ways);
	}
});

testInQemu('the work is done without ACPI tables on one CPU', async (t) => {
	const {output} = await run('work=100', '-machine', 'pc,acpi=off', '-smp', '2');
	t.regex(output, /CPUs: 1 found, 1 running/);
	t.regex(output, /TSC cycles: OK/);
});

testInQemu('flood prints that many lines', async (t) => {
	const {output} = await run('flood=200');
	t.is(output.match(/^\d{6} the quick brown fox/gm)?.length, 200);
	t.regex(output, /^000199 the/m);
});

testInQemu('exit, reset and jump end the machine', async (t) => {
	t.is((await run('exit=21')).status, 2 * 21 + 1);
	t.is((await run('reset')).status, 0);
	const jump = await run('jump');
	t.is(jump.status, 0);
	t.notRegex(jump.output, /exception|Powering off/);
});

testInQemu('ports and mmio survive what they touch', async (t) => {
	const {output, status} = await run('ports mmio work=100', '-smp', '2');
	t.is(status, 0, output);
	t.regex(output, /Ports: 65536 read/);
	t.regex(output, /MMIO: unused addresses read and written/);
	t.regex(output, /: OK/);
});

testInQemu('echo sends back what it receives', async (t) => {
	const answer = {text: 'q ends', keys: 'hello, guestq'};
	const {output, status} = await runInQemu({image: guest.image, commandLine: 'echo', answer});
	t.is(status, 0);
	t.regex(output, /hello, guest\r\nPowering off/);
});

testInQemu('a privileged instruction in user mode is reported with its place', async (t) => {
	const {output, status} = await run('fault');
	t.is(status, 0);
	t.regex(output, /guest exception 13 at 0x10[0-9a-f]{4}, error 0x0, CR2 0x0, CS 0x33, RSP 0x200600/);
});

testInQemu('loop and hang go on until they are stopped', async (t) => {
	const loop = await untilSeen('loop', 'Working until stopped\r\n');
	t.is(loop.status, null);
	t.regex(loop.output, /stopped\r\n$/);
	for (const hang of ['hang=cli', 'hang=hlt', 'hang=sti-hlt']) {
		const {output, status} = await untilSeen(hang, 'Hanging until stopped\r\n');
		t.is(status, null, hang);
		t.regex(output, /CPUs: 2 found, 2 running[\s\S]*stopped\r\n$/, hang);
	}
});
