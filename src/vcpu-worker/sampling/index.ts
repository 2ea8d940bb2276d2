export {answerSample} from './answer-sample.ts';
export {SampleAsker} from './sample-asker.ts';
export {type KernelStack, maxFrames, type Sample, VcpuSample, type VcpuSampleView} from './vcpu-sample.ts';
