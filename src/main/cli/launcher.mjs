#!/usr/bin/env node
// Starts openvmm with a Node.js that can run it. Plain JavaScript that Node.js 20 understands, because the
// machine's own `node` may be older than what openvmm needs.
import * as module from 'node:module';

const require = module.createRequire(import.meta.url);
// Importing them would load all that they can export, streams among it: a tenth of what starts before the first thread does.
const {existsSync, mkdirSync, statSync} = require('node:fs');
const {constants, homedir} = require('node:os');
const {dirname, join} = require('node:path');
const {fileURLToPath, pathToFileURL} = require('node:url');
const {SHARE_ENV, Worker} = require('node:worker_threads');

// First of all: by default SIGUSR1 opens Node.js's debugger on a TCP port, where any user of the host gets this process.
process.on('SIGUSR1', () => {});

/** The oldest release line with 64-bit shared memories and `Atomics.pause`. */
const neededMajor = 24;
/** Set across the switch, so that a broken runtime package cannot make it go round in circles. */
const switchedVariable = 'OPENVMM_SWITCHED_RUNTIME';

// Before anybody wants Node's pool, which has as many threads from then on: a disk of the host's that hangs keeps some (see PoolCalls).
process.env.UV_THREADPOOL_SIZE ??= '16';

/** F_SETFD of fcntl(2). */
const setDescriptorFlags = 2;

/** Every signal that does something to a machine: those of signals.ts, to which a test holds them. */
const handedOn = [
	...['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGXCPU', 'SIGIO', 'SIGPWR'],
	...['SIGSTKFLT', 'SIGTSTP', 'SIGCONT', 'SIGUSR2'],
];

/** Words with which nothing is booted. */
const noBoot = ['-h', '--help', '-V', '--version'];
/** Status where no guest can run: see exit-status.ts. */
const cannotRun = 4;

const self = fileURLToPath(import.meta.url);
const root = join(dirname(self), '../../..');

const words = process.argv.slice(2);
/** A guest is to run, rather than something to be told. */
const boots = !words.some((word, index) => noBoot.includes(word) || (index === 0 && !word.startsWith('-')));
const isNew = Number(process.versions.node.split('.')[0]) >= neededMajor;
if (isNew) {
	delete process.env[switchedVariable];
	enableCompileCache();
}
const thread = isNew ? startFirstProcessor() : undefined;
// The thread starts without waiting for it.
const {hostFacts, hostObstacle} = await import('../../support/host/host-obstacle.mjs');
const obstacle = hostObstacle(hostFacts());
// A new Node.js can still say more of this host (`openvmm doctor`); there is none to switch to.
if (obstacle !== undefined && (boots || !isNew)) {
	console.error(`openvmm: ${obstacle.message}. ${obstacle.remedy}. [${obstacle.code}]`);
	process.exit(cannotRun);
}

endInspector();
if (isNew) {
	const {program} = await import(programUrl());
	// Standard input and timers of what has ended must not keep the process.
	process.exit(await program(words, process.env, thread));
} else {
	await switchRuntime();
}

/**
 * Ends a debugger that a signal before this file's first line has opened. A thread of Node's own opens it, somewhat after the
 * signal. One that the user asks for stays.
 */
function endInspector() {
	if ([...process.execArgv, process.env.NODE_OPTIONS].some((word) => word?.includes('--inspect'))) return;
	// The thread's start did not wait for this module.
	const inspector = process.getBuiltinModule('node:inspector');
	const end = () => inspector.url() !== undefined && inspector.close();
	end();
	for (const laterMs of [0, 20, 100, 500, 1500]) setTimeout(end, laterMs).unref();
}

/** The built program, or in a checkout without one its source. */
function programUrl() {
	const built = join(root, 'dist/openvmm.js');
	return pathToFileURL(existsSync(built) ? built : join(root, 'src/main/cli/program.ts')).href;
}

/**
 * The boot processor's thread: it takes as long to start as Node itself, so it starts before anything else is loaded.
 * Not for a command that boots nothing. Whether this host has a hypervisor is for the program to find out.
 */
function startFirstProcessor() {
	const entry = join(root, 'dist/vcpu-worker.js');
	if (!boots || !existsSync(entry)) return undefined;
	// As `spawnWorker` starts all others.
	const resourceLimits = {maxYoungGenerationSizeMb: 6};
	return new Worker(entry, {name: 'vcpu', env: SHARE_ENV, trackUnmanagedFds: false, resourceLimits});
}

/** Compiled code is kept between runs where caches belong (XDG base directory specification). */
function enableCompileCache() {
	if (process.env.NODE_COMPILE_CACHE !== undefined) return;
	const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
	const directory = join(base, 'openvmm', 'compile-cache');
	try {
		mkdirSync(directory, {recursive: true, mode: 0o700});
		if (![base, dirname(directory), directory].every(isOurs)) return;
	} catch {
		return;
	}
	module.enableCompileCache(directory);
	// Worker threads look for the variable.
	process.env.NODE_COMPILE_CACHE = directory;
}

/** Whoever else can write there decides what this process executes: root with another user's HOME, as by sudo, keeps no code. */
function isOurs(directory) {
	const {uid, mode} = statSync(directory);
	return uid === process.geteuid() && (mode & 0o022) === 0;
}

/** Goes on in the runtime package's Node.js. */
async function switchRuntime() {
	const runtime = process.env[switchedVariable] === undefined ? findRuntime() : undefined;
	if (runtime === undefined) {
		console.error(
			`openvmm: Node.js ${neededMajor} or newer is needed, this is ${process.version}, and the package that brings it is not installed. ` +
				`Install again without --omit=optional, or run with a newer node.`,
		);
		process.exit(1);
	}
	// There SIGUSR1 does nothing from the first instruction.
	const argv = [runtime, '--disable-sigusr1', self, ...words];
	process.env[switchedVariable] = '1';
	replaceProcess(runtime, argv);
	await runChild(runtime, argv.slice(1));
}

function findRuntime() {
	try {
		const path = join(dirname(require.resolve(`node-${process.platform}-${process.arch}/package.json`)), 'bin/node');
		return existsSync(path) ? path : undefined;
	} catch {
		return undefined;
	}
}

/**
 * execve(2): the same process, with its standard streams, terminal, parent and signals, so that there is
 * nothing to forward. Returns where that is not possible.
 */
function replaceProcess(runtime, argv) {
	const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
	try {
		// biome-ignore lint/style/noRestrictedImports: execve has to happen before any of our layers can be loaded
		const koffi = require('koffi');
		const libc = koffi.load(null);
		const execve = libc.func('int execve(const char *path, const char **argv, const char **envp)');
		const fcntl = libc.func('int fcntl(int fd, int command, int argument)');
		// Node.js marks every descriptor it inherits close-on-exec, the standard streams too.
		for (const fd of [0, 1, 2]) fcntl(fd, setDescriptorFlags, 0);
		// Handlers do not survive execve, what is blocked does: SIGUSR1 would end the new program before it has one.
		const block = libc.func('int pthread_sigmask(int how, const void *set, void *old)');
		const set = new Uint8Array(128);
		set[(constants.signals.SIGUSR1 - 1) >> 3] = 1 << ((constants.signals.SIGUSR1 - 1) & 7);
		block(0, set, null);
		execve(runtime, [...argv, null], [...environment, null]);
	} catch {
		// No koffi for this Node.js: run a child instead.
	}
}

/** Runs the runtime beside this process, which hands on signals and ends as it ended. */
async function runChild(runtime, args) {
	const {spawn} = await import('node:child_process');
	const child = spawn(runtime, args, {stdio: 'inherit'});
	// A terminal sends these to the child as well, and a second one would end it by force.
	const sentToBoth = process.stdin.isTTY === true ? ['SIGINT', 'SIGQUIT', 'SIGHUP'] : [];
	for (const signal of handedOn) process.on(signal, () => sentToBoth.includes(signal) || child.kill(signal));
	child.on('error', (error) => {
		console.error(`openvmm: Cannot start ${runtime}: ${error.message}. Install the package again.`);
		process.exit(1);
	});
	child.on('exit', (status, signal) => {
		if (signal === null) process.exit(status);
		process.removeAllListeners(signal);
		process.kill(process.pid, signal);
	});
}
