import { defineCommand } from '../command.ts';
import { EXIT, printFromWorker } from '../supervise.ts';
import type { DevicesResult } from '../tasks/devices.ts';

export const devices = defineCommand({
  name: 'devices',
  summary: 'list the GPUs there are, and which one is used',
  usage: '[--json]',
  about:
    'Asks WebGPU for every adapter it offers and tries a small computation on the one that mos would use.',
  examples: ['mos devices', 'mos devices --json'],
  options: {},
  async run({ terminal }) {
    return printFromWorker('devices', {}, terminal, asText, result =>
      result.used === null ? EXIT.user : EXIT.ok,
    );
  },
});

function asText({ devices, used, why, tried, softwareGpu }: DevicesResult): string {
  const lines: string[] = [];
  devices.forEach((device, index) => {
    const { limits } = device;
    lines.push(
      `${index === used ? '*' : ' '} ${device.name}${device.software ? ' (software, on the processor)' : ''}`,
      `    driver       ${device.driver || 'unknown'}`,
      `    buffers      up to ${bytes(limits.maxBufferSize)}, bindings up to ${bytes(limits.maxStorageBufferBindingSize)}, ${limits.maxStorageBuffersPerShaderStage} per stage`,
      `    workgroups   ${bytes(limits.maxComputeWorkgroupStorageSize)} of memory, ${limits.maxComputeInvocationsPerWorkgroup} invocations`,
      `    f16          ${device.features.includes('shader-f16') ? 'yes' : 'no'}`,
      `    subgroups    ${device.subgroupSizes ? device.subgroupSizes.join(' to ') : 'no'}`,
      `    matrices     ${device.subgroupMatrices.join(', ') || 'none'}`,
    );
  });
  if (used !== null) lines.push(`\nused: ${devices[used].name}, as ${why}`);
  else
    lines.push(
      `no GPU can be used: ${why}`,
      ...tried.map(line => `  tried ${line}`),
      `  software GPU: ${softwareGpu}`,
    );
  return lines.join('\n');
}

function bytes(count: number): string {
  const [scale, unit] =
    count >= 2 ** 30 ? [2 ** 30, 'GiB'] : count >= 2 ** 20 ? [2 ** 20, 'MiB'] : [2 ** 10, 'KiB'];
  return `${Number((count / scale).toFixed(2))} ${unit}`;
}
