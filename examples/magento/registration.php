<?php
// SPDX-License-Identifier: MIT
\Magento\Framework\Component\ComponentRegistrar::register(
    \Magento\Framework\Component\ComponentRegistrar::MODULE,
    'Example_Backchannel',
    __DIR__
);
