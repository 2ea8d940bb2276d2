import type {VmConfig} from '#main/config';
import type {BootImage} from '#main/loader';
import {BootFiles} from './boot-files.ts';
import {type BootMachine, prepareBoot, readKernel} from './prepare-boot.ts';

/** Files of all machines of the process: none can change what it shares. */
const bootFiles = new BootFiles();

/**
 * Source of what a machine boots. A machine that powers on needs it at once; one that is restored, at its first reset, if there
 * is one: its kernel may no longer be there.
 */
export class BootSource {
	readonly #config: VmConfig;
	#files: ReturnType<typeof readKernel> | undefined;
	#image: BootImage | undefined;

	constructor(config: VmConfig) {
		this.#config = config;
	}

	/** Begins to read the files. What is wrong with them is met by {@link image}. */
	prefetch(): void {
		this.#files = readKernel(this.#config, bootFiles);
		this.#files.catch(() => {});
	}

	/** Kernel and firmware tables, put together once. @throws VmmError for whatever is wrong with the kernel */
	async image(machine: BootMachine): Promise<BootImage> {
		this.#image ??= prepareBoot(await (this.#files ?? readKernel(this.#config, bootFiles)), this.#config, machine);
		this.#files = undefined;
		return this.#image;
	}
}
