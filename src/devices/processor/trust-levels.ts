import type {BootRegisters, GeneralRegisters, SpecialRegisters} from './registers.ts';

/**
 * A virtual trust level (TLFS, "Virtual Secure Mode"). The guest's operating system is at 0; a higher level decides what those below
 * it reach, and has registers that they do not see.
 */
export type Vtl = 0 | 1 | 2;

/** Rights on a page (TLFS, "HvCallModifyVtlProtectionMask": HV_MAP_GPA_FLAGS). */
export const PageRights = {READ: 1, WRITE: 2, KERNEL_EXECUTE: 4, USER_EXECUTE: 8} as const;

/**
 * General registers that each level has for itself, as it has all special ones but CR2. The others the levels of a processor share:
 * a level finds there what the one before has left (TLFS, "Private State" and "Shared State").
 */
export const ownRegisterNames = ['rip', 'rsp', 'rflags'] as const;

/** The registers of one level of a processor. */
export interface LevelRegisters {
	readonly general: GeneralRegisters;
	readonly special: SpecialRegisters;
	/** Those model-specific registers, by their index, that the level has for itself and that are not as after INIT. */
	readonly msrs: ReadonlyMap<number, bigint>;
}

/** Registers of a level that are to have other values. */
export type LevelChanges = Partial<BootRegisters & Pick<LevelRegisters, 'msrs'>>;

/** An access that the page's rights do not allow to the level that makes it. */
export interface Intercept {
	/** The level that makes it. */
	readonly vtl: Vtl;
	/** The highest level that forbids it. */
	readonly guard: Vtl;
	readonly gpa: number;
	readonly access: 'read' | 'write' | 'execute';
}

/**
 * The trust levels of one processor, for the device that answers its hypercalls and intercepts: on the processor's thread, while it
 * is in an exit, or for its owner before it runs.
 */
export interface TrustLevels {
	/** The highest that there can be. */
	readonly highest: Vtl;
	/** The one that runs: it makes the access that is being served. */
	readonly current: Vtl;
	/** Gives the registers that the level goes on with when it is entered, at first the state after INIT. */
	registers(vtl: Vtl): LevelRegisters;
	/** Changes registers of a level; what is not named stays. */
	setRegisters(vtl: Vtl, changes: LevelChanges): void;
	/** Has the processor go on at this level once the exit is complete. */
	enter(vtl: Vtl): void;
	/**
	 * Says what the levels below `guard` may do with pages, in place of what it has said before. Binds every processor of the machine from
	 * its next access on. At power-on everything is allowed.
	 * @param rights - bits of {@link PageRights}
	 * @returns false where these are no whole pages, and nothing was done
	 */
	protect(guard: Vtl, gpa: number, length: number, rights: number): boolean;
}
