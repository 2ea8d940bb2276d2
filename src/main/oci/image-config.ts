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
