export {type BegunVhdx, beginVhdx, createVhdx, type VhdxOptions} from './vhdx.ts';
