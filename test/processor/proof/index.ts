/**
 * The proof that the software processor is right: parts, each of cases from a seed and an oracle. `npm test` runs a share of
 * each, `npm run flowey -- proof` the whole.
 */
export {accuracy} from './accuracy.ts';
export {borders} from './borders.ts';
export {type Coverage, coverage} from './coverage.ts';
export {litmus} from './litmus.ts';
export {locked} from './locked.ts';
export {type ProofPart, type Share, type ShareResult, sumOf} from './part.ts';
export {PartProcesses} from './part-processes.ts';
export {proofParts} from './parts.ts';
export {patching} from './patching.ts';
export {qemu} from './qemu.ts';
export {comparedScenes, rewrites, scenes} from './scenes.ts';
export {shootdowns} from './shootdowns.ts';
export {siliconParts} from './silicon.ts';
export {translations} from './translations.ts';
