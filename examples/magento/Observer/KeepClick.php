<?php
// SPDX-License-Identifier: MIT
namespace Example\Backchannel\Observer;

use Magento\Framework\App\State;
use Magento\Framework\Event\Observer;
use Magento\Framework\Event\ObserverInterface;
use Magento\Framework\Stdlib\CookieManagerInterface;

/**
 * Copies the click cookie into the quote whenever a visitor's request saves it: the order may be placed
 * by a payment provider's webhook, which has no cookie. The cookie itself is set before Magento, by the
 * web server or by capture.js: a page from the full page cache runs no observer.
 */
class KeepClick implements ObserverInterface
{
    public function __construct(private CookieManagerInterface $cookies, private State $state)
    {
    }

    public function execute(Observer $observer)
    {
        try {
            $click = (string) $this->cookies->getCookie('bc_click');
            // Whoever takes an order by telephone has clicks of their own.
            if ($this->state->getAreaCode() !== 'adminhtml' && preg_match('/^[tc]\.[\w-]{4,128}$/D', $click)) {
                $observer->getEvent()->getData('quote')->setData('bc_click', $click);
            }
        } catch (\Throwable $e) {
            // The cart is saved, whatever happened here.
        }
    }
}
