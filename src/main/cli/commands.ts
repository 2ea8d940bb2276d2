import {machineOperations, type Operation, type Param} from '#main/operations';
import {hypervisorOptions} from '#vcpu-worker/back-ends';
import type {Flag} from './flags.ts';

/** A flag of a command other than running a machine. */
export type CommandFlag = Pick<Flag, 'name' | 'short' | 'value' | 'help'>;

/** A command: a word that may stand in the first place instead of flags. */
export interface Command {
	readonly help: string;
	/** The words that it takes beside its flags, as the help writes them; of the last one any number, where it ends in `…`. */
	readonly words?: readonly string[];
	readonly flags: readonly CommandFlag[];
	/** Exit statuses that need a word of their own. */
	readonly statuses?: readonly (readonly [string, string])[];
	/** Flags end at so many words: what comes behind them is a command of the guest, with flags of its own. */
	readonly flagsEndAt?: number;
}

/** Seconds that a guest has to shut down, where nobody says. */
export const usualStopSeconds = 30;

const helpFlag = {name: 'help', short: 'h', help: 'print this help'} as const;
const jsonFlag = {name: 'json', help: 'print JSON'} as const;

/** The flags of those that ask a running machine. */
const machineFlags = [
	{name: 'socket', value: 'PATH', help: 'the machine with this control socket, in the place of NAME'},
	helpFlag,
] as const;

/** The flags of those that open an image. */
const imageFlags = [
	{
		name: 'format',
		short: 'f',
		value: 'FORMAT',
		help: 'format of FILE: raw, qcow2, vhd, vhdx; without it what the path ends in says it',
	},
	{
		name: 'backing-folder',
		value: 'FOLDER',
		help: 'images that FILE lies over may be in this folder and those within it; without it in that of FILE; may be repeated',
	},
	helpFlag,
] as const;
const progressFlag = {
	name: 'progress',
	help: 'say how far it is on standard error, also where that is no terminal',
} as const;
/** The flags of those that use the cache of images. */
const imageCacheFlags = [
	{name: 'cache', value: 'DIR', help: 'where images are kept; ~/.cache/openvmm/images without this'},
	helpFlag,
] as const;
/** The flags of those that take packages of Debian. */
const mirrorFlag = {
	name: 'mirror',
	value: 'URL[,suite=NAME][,components=NAME:…]',
	help: "take packages from there (https:, http:, file:) and nowhere else; may be repeated; without this from Debian's own mirrors, with its updates and those for security",
} as const;
const keyringFlag = {
	name: 'keyring',
	value: 'FILE',
	help: "public keys of OpenPGP that releases have to be signed by; without this Debian's, where this host has them (package debian-archive-keyring)",
} as const;
/** The flags of what makes an image. */
const newImageFlags = [
	{
		name: 'block-size',
		value: 'SIZE',
		help: 'unit in which space is allocated: the clusters of qcow2, 64K without it, and the blocks of vhd and vhdx, 2M',
	},
	{name: 'fixed', help: 'vhd and vhdx: all of the disk has its place in the file from the beginning'},
	{name: 'qcow2-version', value: 'NUMBER', help: '2 for QEMU before 1.1; 3 without it'},
	{name: 'lazy-refcounts', help: 'qcow2: QEMU may postpone reference counts, which are counted anew after a crash'},
] as const;

/** The flags that say how a command is started in a guest. */
const commandFlags = [
	{name: 'interactive', short: 'i', help: 'standard input goes to it'},
	{name: 'tty', short: 't', help: 'it has a terminal'},
	{name: 'env', short: 'e', value: 'NAME=VALUE', help: 'a variable; NAME alone has its value here; may be repeated'},
	{name: 'env-file', value: 'FILE', help: 'a file with a line NAME=VALUE for each variable; may be repeated'},
	{name: 'workdir', short: 'w', value: 'PATH', help: 'the folder that it begins in'},
	{name: 'user', short: 'u', value: 'USER[:GROUP]', help: 'who it runs as, by name or number; root without this'},
] as const;
const commandStatusRows = [
	['125', 'it could not be run: the machine, the image or openvmm itself failed'],
	['126', 'the guest has it and cannot execute it'],
	['127', 'the guest does not have it'],
	['128 + n', 'signal n ended it'],
	['other', 'its own'],
] as const;

/** The commands that are no operation of a running machine. A name of two words is a command of a group, which has a name too. */
export const ownCommands = {
	ps: {
		help: 'list your machines: those that run, or all that there are',
		flags: [
			{name: 'all', short: 'a', help: 'those that have ended too'},
			{name: 'quiet', short: 'q', help: 'their names alone'},
			jsonFlag,
			helpFlag,
		],
	},
	stop: {
		help: 'shut machines down: by the command that they run, by the agent in the guest, or by the power button; those that have not shut down in time are ended',
		words: ['NAME…'],
		flags: [
			{
				name: 'time',
				short: 't',
				value: 'SECONDS',
				help: `time that the guest has, ${usualStopSeconds} without this; 0 to end it at once`,
			},
			{name: 'json', help: 'print as JSON by what each ended: itself, command, agent, power-button or force'},
			helpFlag,
		],
		statuses: [
			['0', 'all have shut down, or had ended'],
			['13', 'one did not in its time, and was ended'],
		],
	},
	run: {
		help: 'run a command in a machine of its own: of an image of containers, a disk, a folder, an archive, or packages of Debian; ends with its status',
		words: ['[IMAGE]', '[COMMAND…]'],
		flagsEndAt: 1,
		flags: [
			...commandFlags,
			{
				name: 'packages',
				value: 'NAMES',
				help: "in the place of IMAGE: packages of Debian's to have, between commas, with all that they need; -- is before the command then; may be repeated",
			},
			{
				name: 'restore',
				value: 'DIR',
				help: "a machine that goes on from a snapshot of one of openvmm run, or of a program's (VM): IMAGE, folders, ports and network are given again, as save-snapshot says; what ran goes on, and the command runs beside it",
			},
			{name: 'detach', short: 'd', help: 'go on in the background, and print the name'},
			{name: 'rm', help: 'keep nothing of it when it has ended'},
			{
				name: 'name',
				value: 'NAME',
				help: 'what it is called, lower-case letters, digits and dashes; two words are made up without this',
			},
			{
				name: 'volume',
				short: 'v',
				value: 'HOST:GUEST[:ro]',
				help: 'a folder of the host in the guest; dax=SIZE behind it, or behind ro and a comma, is memory where its files are mapped without a copy, for KVM; may be repeated',
			},
			{
				name: 'publish',
				short: 'p',
				value: '[IP:]HOST:GUEST[/udp]',
				help: 'a port of the host that leads to one of the guest; on 127.0.0.1 without an address; may be repeated',
			},
			{
				name: 'net',
				value: 'KIND',
				help: "user (a network by the host's sockets, without this), none, or what carries the frames of a NIC, as of --virtio-net: switch:NAME, stream:connect=PATH, tap:NAME; the guest has the address then that -c ip=ADDRESS::GATEWAY:NETMASK gives it",
			},
			{
				name: 'allow',
				value: 'HOST[:PORT]',
				help: 'what the guest may reach, and nothing else unless --closed says so: a name, *.NAME, an address, ADDRESS/BITS or *; may be repeated',
			},
			{
				name: 'closed',
				value: 'WHAT',
				help: 'what only --allow opens: host (this host, link-local and metadata addresses), private (private networks too) or all; all without this where --allow is there, host otherwise',
			},
			{
				name: 'guestfwd',
				value: 'tcp|udp:[ADDRESS]:PORT-[ADDRESS]:PORT',
				help: "what the guest sees there (without an address: at its gateway) leads to an end on the host's network (without one: 127.0.0.1), whatever is closed; may be repeated",
			},
			{
				name: 'capture',
				value: 'FILE',
				help: 'frames of its network as they pass, in a file in pcapng',
			},
			{
				name: 'decisions',
				value: 'FILE',
				help: 'what the guest has wanted to reach and what became of it, a line of JSON each, added to a file',
			},
			{
				name: 'memory',
				short: 'm',
				value: 'SIZE',
				help: 'guest memory, taken from the host as it is used; 1GB without this',
			},
			{name: 'processors', value: 'COUNT', help: 'virtual processors; 1 without this'},
			{name: 'kernel', short: 'k', value: 'FILE', help: "Linux kernel; Debian's without this, which is fetched once"},
			{name: 'initrd', value: 'FILE', help: 'initial file system to which the agent is added'},
			{name: 'cmdline', short: 'c', value: 'STRING', help: 'more words for the kernel; may be repeated'},
			{
				name: 'pull',
				value: 'WHEN',
				help: 'whether a registry is asked for the image, and a mirror for packages and the kernel: missing (without this), always or never',
			},
			{name: 'plain-http', help: 'to the registry without TLS; so it is to this host itself anyway'},
			imageCacheFlags[0],
			mirrorFlag,
			keyringFlag,
			helpFlag,
		],
		statuses: commandStatusRows,
	},
	exec: {
		help: 'run a command in a running machine; ends with its status',
		words: ['NAME', 'COMMAND…'],
		flagsEndAt: 1,
		flags: [...commandFlags, helpFlag],
		statuses: commandStatusRows,
	},
	cp: {
		help: 'copy a file or a folder to a machine or from it: one of both is NAME:PATH, the other a path of the host, or - for an archive of tar on standard input or output',
		words: ['FROM', 'TO'],
		flags: [helpFlag],
	},
	logs: {
		help: "print what a machine's console has shown, of which so much is kept as people read",
		words: ['NAME'],
		flags: [
			{name: 'follow', short: 'f', help: 'go on with what comes, until the machine ends'},
			{name: 'tail', value: 'LINES', help: 'the last lines alone, or all; all without this'},
			{
				name: 'since',
				value: 'WHEN',
				help: 'what came since: how long ago (90s, 10m, 2h, 1d), or a moment (2026-01-31T12:00:00Z)',
			},
			helpFlag,
		],
	},
	attach: {
		help: "show a machine's console and type into it, as many at a time as there are; ctrl-p,ctrl-q leaves it",
		words: ['NAME'],
		flags: [
			{name: 'read-only', help: 'look alone: nothing that is typed goes there'},
			{name: 'detach-keys', value: 'KEYS', help: 'keys that leave it, between commas; ctrl-p,ctrl-q without this'},
			{name: 'tail', value: 'LINES', help: 'lines of before that are shown first, or all; 100 without this'},
			helpFlag,
		],
		statuses: [
			['0', 'it was left'],
			['other', 'the status of the machine, which has ended; 0 where that is not kept'],
		],
	},
	kill: {help: 'end machines at once, without asking their guests', words: ['NAME…'], flags: [helpFlag]},
	rm: {
		help: 'remove machines that have ended: their log, their status and their name',
		words: ['NAME…'],
		flags: [{name: 'force', short: 'f', help: 'also those that run, which are killed first'}, helpFlag],
	},
	top: {
		help: 'show again and again what the processors of a running machine do, and where in the guest they are; Ctrl-C ends it',
		words: ['NAME'],
		flags: [
			{name: 'once', help: 'print it once; so it is where the output is no terminal'},
			{name: 'interval', value: 'SECONDS', help: 'look for so long each time, 1 to 60; 1 without this'},
			{
				name: 'symbols',
				value: 'FILE[,offset=ADDRESS]',
				help: "symbols beside those that a Linux kernel has in its memory, as openvmm's own --symbols; may be repeated",
			},
			...machineFlags,
		],
	},
	doctor: {
		help: 'say what this host can run, and what to do where it cannot',
		flags: [{name: 'json', help: 'print the findings as JSON'}, helpFlag],
		statuses: [
			['0', 'a guest can run here'],
			['4', 'no guest can run here'],
		],
	},
	disk: {help: 'make, look at, check, convert and change disk images', words: ['COMMAND'], flags: [helpFlag]},
	'disk create': {
		help: 'make a disk image without data',
		words: ['FILE', '[SIZE]'],
		flags: [
			...newImageFlags,
			{
				name: 'backing',
				short: 'b',
				value: 'FILE',
				help: 'image that it lies over, by a path from its own folder; SIZE is that of it then',
			},
			{
				name: 'backing-format',
				short: 'F',
				value: 'FORMAT',
				help: 'format of that one, where its path does not end in it',
			},
			...imageFlags,
		],
	},
	'disk info': {
		help: 'say what a disk image is',
		words: ['FILE'],
		flags: [imageFlags[0], jsonFlag, helpFlag],
	},
	'disk check': {
		help: 'look for faults in a disk image',
		words: ['FILE'],
		flags: [
			{
				name: 'repair',
				value: 'WHAT',
				help: 'put right: leaks (space that nothing uses), or all (counts and marks too)',
			},
			imageFlags[0],
			jsonFlag,
			progressFlag,
			helpFlag,
		],
		statuses: [
			['0', 'nothing is wrong, or is any more; there may be leaks'],
			['12', 'there are faults, or it is no image'],
		],
	},
	'disk convert': {
		help: 'copy a disk, through all images that it lies over, into a new image; zeros take no space in it',
		words: ['FILE', 'NEW'],
		flags: [
			{
				name: 'output-format',
				short: 'O',
				value: 'FORMAT',
				help: 'format of NEW; without it what the path ends in says it',
			},
			{
				name: 'compress',
				short: 'c',
				value: 'HOW',
				help: 'clusters of a qcow2 image are compressed, by zlib or, for QEMU from 5.1 on, zstd; what is written later is not',
			},
			...newImageFlags,
			progressFlag,
			...imageFlags,
		],
	},
	'disk resize': {
		help: 'change the size of a disk: SIZE, or +SIZE to add as much',
		words: ['FILE', 'SIZE'],
		flags: [{name: 'shrink', help: 'the disk may lose what is at its end'}, progressFlag, ...imageFlags],
	},
	'disk commit': {
		help: 'write what an image has of its own into the image that it lies over',
		words: ['FILE'],
		flags: [progressFlag, ...imageFlags],
	},
	'check-device': {
		help: 'try a device module of your own in a machine without a hypervisor: MODULE[,KEY=VALUE…]',
		words: ['MODULE'],
		flags: [{name: 'json', help: 'print the findings as JSON'}, helpFlag],
		statuses: [
			['0', 'it keeps all that a device is to keep'],
			['2', 'it does not, or no machine can have it'],
		],
	},
	image: {help: 'make images that boot, and fetch and list those of containers', words: ['COMMAND'], flags: [helpFlag]},
	'image ls': {help: 'list the images of containers that are in the cache', flags: [jsonFlag, ...imageCacheFlags]},
	'image pull': {
		help: 'fetch an image of containers from its registry, whether or not it is in the cache: [HOST[:PORT]/]NAME[:TAG][@DIGEST]',
		words: ['NAME'],
		flags: [
			{name: 'plain-http', help: 'without TLS; so it is to this host itself anyway'},
			{
				name: 'user',
				value: 'NAME',
				help: 'log in as this user, with the password in OPENVMM_REGISTRY_PASSWORD; without this as ~/.docker/config.json has it',
			},
			progressFlag,
			...imageCacheFlags,
		],
	},
	'image load': {
		help: 'copy an image of an archive (docker save, OCI) or of a layout (oci:FOLDER) into the cache, under a name; of several PATH#IMAGE',
		words: ['PATH', 'NAME'],
		flags: [progressFlag, ...imageCacheFlags],
	},
	'image inspect': {
		help: 'print as JSON what an image in the cache says of itself, and of which layers it is',
		words: ['NAME'],
		flags: imageCacheFlags,
	},
	'image rm': {
		help: 'take an image out of the cache, with all that belongs to no other; machines that run keep what they have',
		words: ['NAME'],
		flags: imageCacheFlags,
	},
	'image prune': {
		help: 'take out of the cache what belongs to no image by its name, and copies of folders that were not used for a day',
		flags: imageCacheFlags,
	},
	'image build': {
		help: 'make a bootable disk, kernel and initial file system of Debian packages, without root; prints how to boot them',
		words: ['debian'],
		flags: [
			{
				name: 'packages',
				value: 'NAMES',
				help: 'packages to have, between commas, with all that they need, beside those that boot a system; may be repeated',
			},
			{name: 'out', value: 'DIR', help: 'where vmlinuz, initrd.gz and disk.img go; ./debian without this'},
			{name: 'disk', value: 'FILE', help: 'where the disk goes, an ext4 file system in a sparse file'},
			{name: 'kernel', value: 'FILE', help: 'where the kernel goes'},
			{
				name: 'initrd',
				value: 'FILE',
				help: 'where the initial file system goes, compressed as its name ends: .gz or .zst',
			},
			{
				name: 'whole',
				value: 'FILE',
				help: 'also make an initial file system that is all of the system, for a guest without a disk',
			},
			{
				name: 'size',
				value: 'LEN',
				help: 'size of the disk; without this what the packages need, a quarter more and 512M',
			},
			{name: 'suite', value: 'NAME', help: 'release of Debian, by its codename; bookworm without this'},
			{name: 'components', value: 'NAMES', help: 'parts of the release, between commas; main without this'},
			mirrorFlag,
			keyringFlag,
			{name: 'cache', value: 'DIR', help: 'where downloaded packages stay; ~/.cache/openvmm/packages without this'},
			{
				name: 'base',
				value: 'PRIORITY',
				help: 'packages that come by their priority: essential, required, important or standard; required without this',
			},
			{name: 'kernel-package', value: 'NAME', help: 'package of the kernel; linux-image-cloud-amd64 without this'},
			{name: 'modules', value: 'NAMES', help: 'kernel modules to have beside the usual ones, between commas'},
			{name: 'hostname', value: 'NAME', help: "the guest's name; debian without this"},
			{
				name: 'command',
				value: 'LINE',
				help: 'line of shell that the guest runs as root when it is up, before it powers off; may be repeated; without this it has a shell on its console',
			},
			{
				name: 'configure',
				value: 'WHEN',
				help: "when the packages' own scripts run: in the guest at its first boot (first-boot), in a machine of its own while the image is made (guest), or not (none), where somebody else asks for dpkg --configure -a; first-boot without this",
			},
			{
				name: 'configure-limit',
				value: 'SECONDS',
				help: 'with --configure guest: most time that it may take; an hour without this',
			},
			{
				name: 'hypervisor',
				value: 'NAME',
				help: `with --configure guest: what runs the machine: ${hypervisorOptions.join(', ')}; auto without this`,
			},
			{
				name: 'time',
				value: 'SECONDS',
				help: 'age of all that is made, in seconds since 1970; without this $SOURCE_DATE_EPOCH, else that of the newest release',
			},
			helpFlag,
		],
		statuses: [
			['0', 'the image is made'],
			['11', 'it cannot be made, and nothing is left of it'],
		],
	},
	completion: {
		help: 'print a script by which a shell completes lines: bash, zsh or fish',
		words: ['SHELL', '[WORD…]'],
		flagsEndAt: 1,
		flags: [helpFlag],
	},
	restore: {
		help: 'the same as openvmm --restore-snapshot DIR: restore DIR [FLAG…]',
		flags: [],
	},
	help: {
		help: 'print this help',
		flags: [
			{name: 'markdown', help: "print the guide's page on the command line"},
			{name: 'cpu', help: "print the guide's page on processors: models, features, what is announced and why"},
			{name: 'devices', help: "print the guide's page on devices by kind"},
			{name: 'operations', help: "print the guide's page on what may be asked of a running machine"},
		],
	},
} as const satisfies Readonly<Record<string, Command>>;

/** Name of a command that is no operation. */
export type OwnCommand = keyof typeof ownCommands;

/** The operations that a person can ask for on a line. */
export const spoken = (operations: readonly Operation[]): readonly Operation[] =>
	operations.filter(({socketOnly}) => !socketOnly);

/** Every command by its name. */
export const commands = (operations = machineOperations): ReadonlyMap<string, Command> =>
	new Map<string, Command>([
		...spoken(operations).map((operation) => [operation.name, operationCommand(operation)] as const),
		...Object.entries(ownCommands),
	]);

/** The command that asks a running machine for an operation. */
export const operationCommand = (operation: Operation): Command => ({
	help: operation.help,
	words: ['NAME', ...operationWords(operation)],
	flags: [...operationFlags(operation), ...machineFlags],
});

/** The words that an operation takes on a line, as the help writes them. */
const operationWords = ({params}: Operation): readonly string[] =>
	Object.values(params).flatMap(({flag, optional, placeholder = ''}) => {
		if (flag !== undefined) return [];
		return [optional ? `[${placeholder}]` : placeholder];
	});

/** The flags of an operation, in the console and behind its command. */
const operationFlags = ({params, json, instead}: Operation): readonly CommandFlag[] => [
	...Object.values({...params, ...instead?.operation.params}).flatMap(flagOf),
	...(json === undefined ? [] : [jsonFlag]),
];

function flagOf({flag: name, short, placeholder: value, help}: Param): CommandFlag[] {
	if (name === undefined) return [];
	return [{name, help, ...(short !== undefined && {short}), ...(value !== undefined && {value})}];
}

/** An operation in the console, where there is one machine. */
export const consoleForm = (operation: Operation): Pick<Command, 'words' | 'flags'> => ({
	words: operationWords(operation),
	flags: operationFlags(operation),
});
