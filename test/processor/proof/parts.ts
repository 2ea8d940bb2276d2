import {accuracy} from './accuracy.ts';
import {borders} from './borders.ts';
import {litmus} from './litmus.ts';
import {locked} from './locked.ts';
import {lockstep} from './lockstep.ts';
import type {ProofPart} from './part.ts';
import {patching} from './patching.ts';
import {qemu} from './qemu.ts';
import {comparedScenes, rewrites, scenes} from './scenes.ts';
import {shootdowns} from './shootdowns.ts';
import {siliconParts} from './silicon.ts';
import {translations} from './translations.ts';

/** All parts, in the order of the report. */
export const proofParts: readonly ProofPart[] = [
	...siliconParts,
	accuracy,
	translations,
	qemu,
	borders,
	litmus,
	locked,
	shootdowns,
	patching,
	scenes,
	comparedScenes,
	rewrites,
	lockstep,
];
