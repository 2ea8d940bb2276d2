import {constants} from 'node:os';
import {digestForm} from './digest.ts';
import {ociError} from './errors.ts';
import {JsonObject} from './json.ts';
import {platform} from './manifest.ts';

/** What an image says of the program in it (OCI image specification 1.1, "Image Configuration", `config`). */
export interface ImageConfig {
	/** `NAME=VALUE`, in their order. */
	readonly env: readonly string[];
	/** Words before those of the command. */
	readonly entrypoint: readonly string[];
	/** Words that the user's own replace. */
	readonly cmd: readonly string[];
	/** `/` where the image says nothing. */
	readonly workingDir: string;
	/** `USER`, `USER:GROUP`, names or numbers; empty for root. */
	readonly user: string;
	readonly exposedPorts: readonly {readonly port: number; readonly protocol: 'tcp' | 'udp' | 'sctp'}[];
	/** `SIGTERM` where the image says nothing. */
	readonly stopSignal: string;
	readonly labels: Readonly<Record<string, string>>;
}

/** What is true of an image that says nothing: a folder, a file system in an archive. */
export const emptyConfig: ImageConfig = {
	env: [],
	entrypoint: [],
	cmd: [],
	workingDir: '/',
	user: '',
	exposedPorts: [],
	stopSignal: 'SIGTERM',
	labels: {},
};

/** A configuration, and checksums of the layers as they are when they are not compressed. */
export interface ParsedConfig {
	readonly config: ImageConfig;
	/** The lowest first, by their digests. */
	readonly diffIds: readonly string[];
}

/** Far more than an image has; Linux takes 2 MB of words and variables at most. */
const most = {words: 4096, ports: 1024, labels: 4096, layers: 512, textBytes: 2 ** 17} as const;

/**
 * Parses the configuration of an image.
 * @throws VmmError OCI_JSON_INVALID, OCI_TOO_LARGE, OCI_PLATFORM_MISSING
 */
export function parseConfig(of: string, bytes: Uint8Array): ParsedConfig {
	const json = JsonObject.parse(of, bytes);
	const {os, architecture} = {os: json.text('os'), architecture: json.text('architecture')};
	const isOther = (found: string | undefined, wanted: string) => found !== undefined && found !== wanted;
	if (isOther(os, platform.os) || isOther(architecture, platform.architecture))
		throw ociError('OCI_PLATFORM_MISSING', {
			of,
			wanted: `${platform.os}/${platform.architecture}`,
			has: [`${os}/${architecture}`.slice(0, 60)],
		});
	const diffIds = json.object('rootfs')?.texts('diff_ids', most.layers) ?? [];
	if (!diffIds.every((each) => digestForm.test(each))) throw json.wrong('its diff_ids are not all checksums');
	const said = json.object('config');
	return {diffIds, config: said === undefined ? emptyConfig : configOf(said)};
}

function configOf(json: JsonObject): ImageConfig {
	const words = (name: string) => json.texts(name, most.words).map((each) => checked(json, name, each));
	const text = (name: string) => checked(json, name, json.text(name) ?? '');
	const env = words('Env');
	if (!env.every((each) => /^[^=]+=/.test(each))) throw json.wrong('its Env has something else than NAME=VALUE');
	const workingDir = text('WorkingDir') || '/';
	if (!workingDir.startsWith('/')) throw json.wrong('its WorkingDir does not begin with /');
	const stopSignal = signalOf(json, text('StopSignal'));
	const labels = json.entries('Labels');
	if (labels.length > most.labels) throw json.wrong(`it has more than ${most.labels} labels`);
	const {length} = json.entries('ExposedPorts');
	if (length > most.ports) throw json.wrong(`it has more than ${most.ports} ports`);
	return {
		env,
		entrypoint: words('Entrypoint'),
		cmd: words('Cmd'),
		workingDir,
		user: text('User'),
		exposedPorts: json.entries('ExposedPorts').map(([name]) => portOf(json, name)),
		stopSignal,
		labels: Object.fromEntries(labels.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []))),
	};
}

/** Nothing that a program is started with has a zero in it. */
function checked(json: JsonObject, name: string, text: string): string {
	if (text.includes('\0')) throw json.wrong(`its ${name} has a zero in it`);
	if (text.length > most.textBytes) throw json.wrong(`its ${name} has a text of ${text.length} characters`);
	return text;
}

function portOf(json: JsonObject, name: string): ImageConfig['exposedPorts'][number] {
	const [, digits, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(name) ?? [];
	const port = Number(digits);
	if (!(port >= 1 && port <= 65_535)) throw json.wrong(`its port ${JSON.stringify(name.slice(0, 40))} is none`);
	return {port, protocol: protocol as 'tcp' | 'udp' | 'sctp'};
}

/** Signals have names, with or without SIG in front, and numbers. */
function signalOf(json: JsonObject, said: string): string {
	if (said === '') return emptyConfig.stopSignal;
	if (/^\d{1,2}$/.test(said)) {
		const named = Object.entries(constants.signals).find(([, number]) => number === Number(said));
		if (named !== undefined) return named[0];
		// Real-time signals have no names in Node.js.
		if (Number(said) >= 34 && Number(said) <= 64) return said;
	}
	const name = said.startsWith('SIG') ? said : `SIG${said}`;
	if (!/^SIG(?:[A-Z0-9]{2,8}|RTM(?:IN|AX)[+-]\d{1,2})$/.test(name))
		throw json.wrong(`its StopSignal ${JSON.stringify(said.slice(0, 40))} is none`);
	return name;
}
