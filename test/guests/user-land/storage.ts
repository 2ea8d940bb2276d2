import {readFileSync} from 'node:fs';
import {checkFacts, type Part} from './part.ts';

const mebibyte = 2 ** 20;
/** Room that the parts need. */
export const triedBytes: number = 256 * mebibyte;

/** Jobs of fio, one after the other: what each wrote, it reads again and finds whole. */
const jobs = (file: string, sizeMib: number): string => `[global]
filename=${file}
direct=1
iodepth=32
size=${sizeMib}m
verify=crc32c
verify_fatal=1
stonewall
[aio]
ioengine=libaio
rw=randwrite
bs=4k
[uring]
ioengine=io_uring
rw=randwrite
bsrange=512-64k
bs_unaligned=0
blockalign=512
offset=${sizeMib}m
[mixed]
ioengine=io_uring
rw=randrw
bsrange=4k-256k
blockalign=4k
offset=${2 * sizeMib}m
[trim]
ioengine=libaio
rw=trimwrite
bs=64k
offset=${3 * sizeMib}m
[flushed]
ioengine=libaio
rw=randwrite
bs=4k
fdatasync=8
size=1m
offset=${4 * sizeMib}m
`;

/** fio on the disk itself. */
export const fio = (disk: string, sizeMib = 4): Part => ({
	name: 'fio',
	files: {jobs: jobs(disk, sizeMib)},
	lines: [
		'fio --eta=never --output=report jobs || { cat report; exit 1; }',
		'grep -o "err= *[0-9]*" report | sort | uniq -c',
	],
	check: (t, output) => t.is(output.trim(), '5 err= 0'),
});

const program = {'operations.py': readFileSync('test/guests/user-land/file-operations.py')};
/** Random operations on files of two processes at once. */
const operations = (seed: number, count: number) =>
	[seed, seed + 1]
		.map((each) => `python3 operations.py /mnt ${each} ${count} & p${each - seed}=$!`)
		.concat('wait $p0', 'wait $p1');

const expected = {operations: '200', trimmed: 'yes', checked: '0'};

/** A file system of ext4, with a journal: random operations, and room that is given back. */
export const ext4 = (disk: string): Part => ({
	name: 'ext4',
	files: program,
	lines: [
		`mkfs.ext4 -q -F ${disk}`,
		`mount ${disk} /mnt`,
		...operations(1, 200),
		...trimmed,
		'umount /mnt',
		`e2fsck -f -n ${disk} >report 2>&1 || { cat report; exit 1; }`,
		'echo checked=$?',
	],
	check: (t, output) => checkFacts(t, output, expected),
});

/** The same of btrfs, which checks its own sums. */
export const btrfs = (disk: string): Part => ({
	name: 'btrfs',
	files: program,
	lines: [
		'modprobe btrfs',
		`mkfs.btrfs -q -f ${disk}`,
		`mount -o discard=async ${disk} /mnt`,
		...operations(3, 200),
		...trimmed,
		'btrfs scrub start -B /mnt >report || { cat report; exit 1; }',
		'umount /mnt',
		`btrfs check ${disk} >report 2>&1 || { cat report; exit 1; }`,
		'echo checked=$?',
	],
	check: (t, output) => checkFacts(t, output, expected),
});

const trimmed = [
	'dd if=/dev/urandom of=/mnt/gone bs=1M count=32 status=none',
	'sync',
	'rm /mnt/gone',
	'sync',
	'[ $(fstrim -v /mnt | grep -o "[0-9]* bytes" | cut -d" " -f1) -gt 33554432 ] && echo trimmed=yes',
];

/** The whole disk is given back, and reads as zeros. */
export const discarded = (disk: string): Part => ({
	name: 'discarded',
	lines: [
		`dd if=/dev/urandom of=${disk} bs=1M count=16 oflag=direct status=none`,
		`blkdiscard -z -o 1M -l 2M ${disk}`,
		`cmp -n 2M -i 1M:0 ${disk} /dev/zero && echo zeros=yes`,
		`blkdiscard -f ${disk}`,
		`cmp -n 16M ${disk} /dev/zero && echo discarded=yes`,
	],
	check: (t, output) => checkFacts(t, output, {zeros: 'yes', discarded: 'yes'}),
});

/** What NVMe's own tool asks a controller. */
export const nvmeTool: Part = {
	name: 'nvme',
	lines: [
		// Its lines are `name : value`.
		'value() { grep "^$1[[:space:]]" | cut -d: -f2 | tr -d "[:space:]"; }',
		'echo serial=$(nvme id-ctrl /dev/nvme0 | value sn)',
		'echo size=$(nvme id-ns /dev/nvme0n2 | value nsze)',
		'echo warnings=$(nvme smart-log /dev/nvme0 | value critical_warning)',
		'echo spaces=$(nvme list-ns /dev/nvme0 | wc -l)',
		'echo errors=$(nvme error-log /dev/nvme0 -e 1 | grep -c "^error_count.*: 0")',
		'echo slots=$(nvme fw-log /dev/nvme0 | grep -c afi)',
		'nvme flush /dev/nvme0n2 >/dev/null && echo flushed=yes',
		'nvme reset /dev/nvme0 && echo reset=yes',
	],
	check: (t, output) =>
		checkFacts(t, output, {
			...{serial: 'tried', size: `0x${(triedBytes / 512).toString(16)}`, warnings: '0', spaces: '2', errors: '1'},
			...{slots: '1', flushed: 'yes', reset: 'yes'},
		}),
};
